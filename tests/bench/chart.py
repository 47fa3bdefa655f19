"""The targets as a picture: how far each figure is from its bounds, on one logarithmic scale."""

import math
from html import escape

from tests.bench.figures import Figures, Spread
from tests.bench.targets import TARGETS, Target

_ROW, _TOP, _LABELS, _SCALE = 26, 58, 400, 420
_COLOURS = {"aim": "#2a7f4f", "must": "#c98a1b", "missed": "#b8352c"}
_WIDEST = 1.0  # a tenth to ten times the bound


def chart(figures: Figures) -> str:
    """An SVG: a bar for each measured target; to the right of the line its ``must`` is met."""
    rows = [(target, found) for target in TARGETS if (found := _positive(target, figures))]
    height = _TOP + _ROW * len(rows) + 16
    middle = _LABELS + _SCALE / 2
    lines = [_row(target, found, index) for index, (target, found) in enumerate(rows)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LABELS + _SCALE + 120}"'
            f' height="{height}" font-family="sans-serif" font-size="12">',
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            '<text x="10" y="22" font-size="15">Muninn: measured against its targets</text>',
            f'<text x="{middle}" y="44" text-anchor="middle">must</text>',
            *lines,
            f'<path d="M{middle} 48V{height - 10}" stroke="#222222"/>',
            "</svg>\n",
        ]
    )


def _positive(target: Target, figures: Figures) -> Spread | None:
    """What a logarithm can show."""
    found = target.read(figures)
    return found if found and found.median > 0 and target.must > 0 else None


def _row(target: Target, found: Spread, index: int) -> str:
    y = _TOP + _ROW * index
    middle, at, aim = _LABELS + _SCALE / 2, _place(target, found.median), _place(target, target.aim)
    colour = _COLOURS[target.verdict(found.median)]
    left, width = min(middle, at), max(1.0, abs(at - middle))
    value = f"{found.median:,.3g} {target.unit}" if found.median < 1000 else f"{found.median:,.0f}"
    return (
        f'<text x="{_LABELS - 10}" y="{y + 14}" text-anchor="end">{escape(target.what)}</text>'
        f'<rect x="{left:.1f}" y="{y + 3}" width="{width:.1f}" height="15" fill="{colour}"/>'
        f'<path d="M{aim:.1f} {y}v21" stroke="#666666" stroke-dasharray="3 2"/>'
        f'<text x="{_LABELS + _SCALE + 10}" y="{y + 14}">{escape(value)}</text>'
    )


def _place(target: Target, value: float) -> float:
    """Where a value lies: better is further to the right."""
    ratio = value / target.must if target.more_is_better else target.must / value
    far = max(-_WIDEST, min(_WIDEST, math.log10(ratio)))
    return _LABELS + _SCALE / 2 * (1 + far / _WIDEST)
