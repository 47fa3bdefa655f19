"""The fenced blocks of a Markdown file, with what stands around them."""

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ELLIPSIS = "…"


@dataclass(frozen=True)
class Block:
    """One fenced block. ``shown`` is the block right behind it, if that shows an output."""

    language: str
    text: str
    section: str
    shown: "Block | None" = None


def blocks_of(path: Path) -> list[Block]:
    """All fenced blocks in order; an output stands with its command, and not by itself too."""
    text = path.read_text("utf-8")
    found: list[Block] = []
    previous_end = -1
    for match in FENCE.finditer(text):
        block = Block(match[1], match[2], _section_at(text, match.start()))
        follows = not text[previous_end : match.start()].strip() and previous_end >= 0
        if block.language in ("json", "text") and follows:
            before = found.pop()
            block = Block(before.language, before.text, before.section, block)
        found.append(block)
        previous_end = match.end()
    return found


def table_under(path: Path, first_column: str) -> str:
    """The one table whose first column has that name."""
    text = path.read_text("utf-8")
    start = text.index(f"| {first_column} |")
    return text[start : text.index("\n\n", start)]


def as_pattern(text: str) -> re.Pattern[str]:
    """Matches the text, with anything where it has an ellipsis."""
    return re.compile(".*?".join(map(re.escape, text.split(ELLIPSIS))), re.DOTALL)


def _section_at(text: str, position: int) -> str:
    # A comment in a shell block looks like a heading, so headings inside of fences are skipped.
    outside = FENCE.sub(lambda match: "\n" * len(match[0]), text[:position])
    headings = HEADING.findall(outside)
    return headings[-1] if headings else ""
