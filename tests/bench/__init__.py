"""The benchmark: what Muninn adds to a call, measured beside the call itself and beside a peer.

``python -m tests.bench --help``; what each figure means stands in ``docs/performance.md``.
"""
