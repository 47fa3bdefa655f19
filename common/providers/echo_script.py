"""The scripts that the echo provider knows: one row each, chosen by the model name.

The rows are the one source of the table in docs/echo.md, of the answer to an unknown model, and of
the test that runs every script.
"""

import re
from dataclasses import dataclass

from common.errors import ProviderAnsweredError
from common.providers.echo_error import openai_error


@dataclass(frozen=True, slots=True)
class Script:
    """One row: how the model name is written, and what the provider then does.

    ``name`` and ``unit`` stand around the number; ``number`` says what it means and is empty for
    scripts that take none. ``least`` and ``most`` bound it, both included.
    """

    name: str
    does: str
    example: str
    number: str = ""
    unit: str = ""
    least: float = 0
    most: float = 0

    @property
    def form(self) -> str:
        """The model name as documented, such as ``slow-<seconds>s``."""
        return f"{self.name}-<{self.number}>{self.unit}" if self.number else self.name


@dataclass(frozen=True, slots=True)
class Scripted:
    """A model name understood: the script's name and its number (times in seconds)."""

    name: str
    number: float = 0.0


SCRIPTS = (
    Script("hello", "Repeats the text of the input.", "hello"),
    Script("echo", "The same.", "echo"),
    Script(
        "slow",
        "Repeats the input after that time; a stream spreads its deltas over it.",
        "slow-2s",
        "seconds",
        "s",
        0,
        3600,
    ),
    Script("slow", "The same in milliseconds.", "slow-50ms", "n", "ms", 0, 3_600_000),
    Script(
        "error",
        "Answers an error of that status; 429 with `retry-after: 1`.",
        "error-429",
        "status",
        "",
        400,
        599,
    ),
    Script(
        "flaky",
        "Fails n times with 503, then works: by attempt for a job, else by request body.",
        "flaky-2",
        "n",
        "",
        0,
        1000,
    ),
    Script("cut-stream", "Stops in the middle of its answer.", "cut-stream"),
    Script("hang", "Never answers; its stream stays silent.", "hang"),
    Script("reset", "Closes the connection before a byte of answer.", "reset"),
    Script("timeout", "Gives no answer in time.", "timeout"),
    Script(
        "function-call",
        "Calls the first function tool with arguments made from its schema; given the tool's "
        "output, repeats that.",
        "function-call",
    ),
    Script("reasoning", "Thinks first: a reasoning item with a summary.", "reasoning"),
    Script(
        "structured",
        "Answers JSON that fits `text.format`, the input in its strings.",
        "structured",
    ),
    Script("long", "Answers n words.", "long-500", "n", "", 1, 100_000),
    Script("size", "Answers a text of n KiB.", "size-100kb", "n", "kb", 1, 16_384),
    Script("refusal", "Refuses, in a refusal part.", "refusal"),
    Script("incomplete", "Stops half-way, as if out of output tokens.", "incomplete"),
    Script("failed", "Answers 200 with a response that failed.", "failed"),
)

_BY_NAME_AND_UNIT = {(row.name, row.unit if row.number else None): row for row in SCRIPTS}

_WITH_NUMBER = re.compile(r"([a-z-]+)-([0-9]{1,9}(?:\.[0-9]{1,3})?)([a-z]*)", re.ASCII)


def scripted(model: str) -> Scripted:
    """The script that a model name asks for; ProviderAnsweredError (404) if there is none."""
    if (model, None) in _BY_NAME_AND_UNIT:
        return Scripted(model)
    match = _WITH_NUMBER.fullmatch(model)
    row = _BY_NAME_AND_UNIT.get((match[1], match[3])) if match else None
    if match is None or row is None:
        raise _unknown(f"The model `{model[:100]}` does not exist.")
    return Scripted(row.name, _number_of(match[2], row))


def markdown_table() -> str:
    """The scripts as a table in Markdown."""
    rows = [f"| `{row.form}` | `{row.example}` | {row.does} |" for row in SCRIPTS]
    return "\n".join(["| model | for example | what it does |", "|---|---|---|", *rows])


def _number_of(text: str, row: Script) -> float:
    number = float(text)
    if not row.least <= number <= row.most or ("." in text and row.name != "slow"):
        kind = "a number" if row.name == "slow" else "a whole number"
        raise _unknown(
            f"The model `{row.form}` takes {kind} from {row.least:.0f} to {row.most:.0f}."
        )
    return number / 1000 if row.unit == "ms" else number


def _unknown(message: str) -> ProviderAnsweredError:
    known = ", ".join(row.form for row in SCRIPTS)
    return openai_error(404, f"{message} The echo provider knows: {known}.", param="model")
