"""What docs/security.md points at is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text("utf-8")


def test_every_test_that_it_names_exists():
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    assert len(named) > 10
    assert named <= {path.stem for path in (ROOT / "tests").rglob("test_*.py")}


def test_every_file_that_it_names_exists():
    for name in re.findall(r"`((?:api|common|worker)/[\w/.]+)`", TEXT):
        assert (ROOT / name).exists(), name
