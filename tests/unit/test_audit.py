"""The audit of the pinned versions: what is known fails, what cannot be known does not."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AUDIT = ROOT / ".ci" / "audit.py"

# Stands in for pip-audit: answers in its format, for the requirements that it is given.
KNOWN = """
import json, sys
lines = open(sys.argv[sys.argv.index("--requirement") + 1]).read().splitlines()
pins = [line.split("==") for line in lines]
vulns = lambda name: [{"id": "CVE-1"}] if name == %r else []
found = [{"name": n, "version": v, "vulns": vulns(n)} for n, v in pins]
print(json.dumps({"dependencies": found, "fixes": []}))
sys.exit(any(each["vulns"] for each in found))
"""
UNKNOWN = """
import json, sys
print(json.dumps({"dependencies": [{"name": "a", "skip_reason": "not found"}], "fixes": []}))
"""


def audit(program: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(AUDIT), sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_known_vulnerability_fails_and_is_named():
    ended = audit(KNOWN % "celery")
    assert ended.returncode == 1
    assert "celery " in ended.stderr
    assert "CVE-1" in ended.stderr


def test_without_one_it_says_how_many_were_looked_up():
    ended = audit(KNOWN % "none of them")
    assert ended.returncode == 0
    assert ", 0 with known vulnerabilities" in ended.stdout


@pytest.mark.parametrize("program", [UNKNOWN, "raise OSError", "print('no JSON')"])
def test_where_the_data_cannot_be_reached_one_line_says_that_it_is_left_out(program):
    ended = audit(program)
    assert ended.returncode == 0
    assert ended.stdout.count("\n") == 1
    assert "left out" in ended.stdout
