"""The fenced blocks of a Markdown file, with what stands around them."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ELLIPSIS = "…"


@dataclass(frozen=True)
class Block:
    """One fenced block. ``shown`` is the block right behind it, if that shows an output."""

    language: str
    text: str
    page: str
    section: str
    shown: "Block | None" = None


def blocks_of(path: Path) -> list[Block]:
    """All fenced blocks in order; an output stands with its command, and not by itself too."""
    text = path.read_text("utf-8")
    found: list[Block] = []
    previous_end = -1
    for match in FENCE.finditer(text):
        block = Block(match[1], match[2], path.name, _section_at(text, match.start()))
        follows = not text[previous_end : match.start()].strip() and previous_end >= 0
        if block.language in ("json", "text") and follows:
            before = found.pop()
            block = replace(before, shown=block)
        found.append(block)
        previous_end = match.end()
    return found


def table_under(path: Path, first_column: str) -> str:
    """The one table whose first column has that name."""
    text = path.read_text("utf-8")
    start = text.index(f"| {first_column} |")
    return text[start : text.index("\n\n", start)]


def targets_of(path: Path) -> list[tuple[Path, str]]:
    """The files that a page links to, each with the part behind ``#``; the web is left out."""
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8"))
    inside = [link.partition("#") for link in links if "://" not in link]
    return [((path.parent / name) if name else path, anchor) for name, _, anchor in inside]


def anchors_of(path: Path) -> set[str]:
    """What a link can name of a page: its headings, as GitHub writes them."""
    headings = HEADING.findall(FENCE.sub("", path.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def as_pattern(text: str) -> re.Pattern[str]:
    """Matches the text, with anything where it has an ellipsis."""
    return re.compile(".*?".join(map(re.escape, text.split(ELLIPSIS))), re.DOTALL)


def _section_at(text: str, position: int) -> str:
    # A comment in a shell block looks like a heading, so headings inside of fences are skipped.
    outside = FENCE.sub(lambda match: "\n" * len(match[0]), text[:position])
    headings = HEADING.findall(outside)
    return headings[-1] if headings else ""
