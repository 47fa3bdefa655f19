"""The results in words: as a table to read and as JSON to keep."""

from typing import Any

from tests.bench.figures import DIRECT, MUNINN, PEER, Figures, Name, Spread
from tests.bench.targets import TARGETS, Target


def targets_table(figures: Figures) -> str:
    """The targets, what was measured, and whether it holds."""
    head = f"{'figure':<56}{'must':>9}{'aim':>9}{'measured':>10}  {'spread':<19}{'holds'}"
    return "\n".join([head, "-" * len(head), *(_target_line(each, figures) for each in TARGETS)])


def headroom_table(figures: Figures) -> str:
    """How much faster the mock and the generator are alone: they shall not be what is measured."""
    cases = [name.case for name in figures.samples if name[1:] == (DIRECT, "per_second")]
    lines = []
    for case in cases:
        found = figures.ratio(case, "per_second", DIRECT)
        if found and found.median:
            lines.append(f"  {case:<26}{1 / found.median:>8.1f} times as fast without Muninn")
    return "\n".join(["mock and load generator alone", *lines])


def figures_table(figures: Figures) -> str:
    """Everything that was measured, case by case."""
    cases = list(dict.fromkeys(name.case for name in figures.samples))
    return "\n".join(line for case in cases for line in [case, *_case_lines(case, figures)])


def as_json(figures: Figures, about: dict[str, Any]) -> dict[str, Any]:
    """All samples, their medians, and the verdicts."""
    return {
        "about": about,
        "targets": [_verdict(target, figures) for target in TARGETS],
        "figures": [
            {**name._asdict(), "median": _median(figures, name), "samples": samples}
            for name, samples in figures.samples.items()
        ],
    }


def _target_line(target: Target, figures: Figures) -> str:
    bounds = f"{target.what:<56}{_short(target.must):>9}{_short(target.aim):>9}"
    found = target.read(figures)
    if found is None:
        return f"{bounds}{'-':>10}  {'':<19}not measured"
    spread = f"{_short(found.least)} to {_short(found.most)}"
    verdict = target.verdict(found.median)
    return f"{bounds}{_short(found.median):>10}  {spread:<19}{verdict} ({target.unit})"


def _case_lines(case: str, figures: Figures) -> list[str]:
    lines = []
    for target in (DIRECT, MUNINN, PEER):
        names = [name for name in figures.samples if name[:2] == (case, target)]
        shown = [f"{name.figure}={_short(_median(figures, name))}" for name in names]
        if shown:
            lines.append(f"  {target:<8}" + "  ".join(shown))
    return lines


def _verdict(target: Target, figures: Figures) -> dict[str, Any]:
    found: Spread | None = target.read(figures)
    return {
        "what": target.what,
        "unit": target.unit,
        "must": target.must,
        "aim": target.aim,
        "median": found.median if found else None,
        "least": found.least if found else None,
        "most": found.most if found else None,
        "holds": target.verdict(found.median) if found else "not measured",
    }


def _median(figures: Figures, name: Name) -> float:
    found = figures.spread(*name)
    return found.median if found else 0.0


def _short(value: float) -> str:
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
