"""The chaos suite: real processes are killed, stopped and cut off while jobs run.

``python -m tests.chaos --help``; a short form of it is part of the integration tests.
"""
