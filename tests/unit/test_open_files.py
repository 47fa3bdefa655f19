"""The limit of open files."""

import subprocess
import sys

PROGRAM = """
import resource
from common.open_files import allow_open_files
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
allow_open_files()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
"""


def test_it_is_raised_to_what_the_system_allows():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=20)
