"""The numbers of one process, each a double in memory that may be a file that others read.

Adding to one costs a fraction of a microsecond either way, and what was added is there for the
others at once, also after a ``kill -9``.
"""

import threading
from bisect import bisect_left
from collections.abc import Callable

from common.metrics.definitions import Definition

# A metric's name and the values of its labels.
RowKey = tuple[str, tuple[str, ...]]
Snapshot = dict[RowKey, list[float]]


class Row:
    """One number: a counter or a gauge with all its labels."""

    __slots__ = ("_cells", "_lock")

    def __init__(self, cells: "memoryview[float]") -> None:
        self._cells = cells
        self._lock = threading.Lock()

    def add(self, amount: float = 1.0) -> None:
        with self._lock:
            self._cells[0] += amount

    def set(self, value: float) -> None:
        with self._lock:
            self._cells[0] = value


class HistogramRow:
    """The buckets of one histogram with all its labels, and the sum of what it was given."""

    __slots__ = ("_bounds", "_cells", "_lock")

    def __init__(self, cells: "memoryview[float]", bounds: tuple[float, ...]) -> None:
        self._cells = cells
        self._bounds = bounds
        self._lock = threading.Lock()

    def observe(self, value: float) -> None:
        """Count one value; one on a bound belongs below it."""
        bucket = bisect_left(self._bounds, value)
        with self._lock:
            self._cells[bucket] += 1.0
            self._cells[-1] += value


class Rows(dict[tuple[str, ...], Row]):
    """The rows of one counter or gauge by the values of its labels, each made when asked for."""

    def __init__(self, cells: "Cells", definition: Definition) -> None:
        super().__init__()
        self._cells = cells
        self._definition = definition

    def __missing__(self, labels: tuple[str, ...]) -> Row:
        row = self[labels] = self._cells.row(self._definition, *labels)
        return row


class HistogramRows(dict[tuple[str, ...], HistogramRow]):
    """The same of a histogram."""

    def __init__(self, cells: "Cells", definition: Definition) -> None:
        super().__init__()
        self._cells = cells
        self._definition = definition

    def __missing__(self, labels: tuple[str, ...]) -> HistogramRow:
        row = self[labels] = self._cells.histogram(self._definition, *labels)
        return row


# Finds room for so many numbers under a key. Raises MemoryError where there is none left.
Allocate = Callable[[RowKey, int], "memoryview[float]"]


class Cells:
    """The rows of a process, each made when it is first asked for."""

    def __init__(self, allocate: Allocate | None = None) -> None:
        self._allocate = allocate or private
        self._views: dict[RowKey, memoryview[float]] = {}
        self._rows: dict[RowKey, Row] = {}
        self._histograms: dict[RowKey, HistogramRow] = {}
        self._lock = threading.Lock()

    def row(self, definition: Definition, *labels: str) -> Row:
        """The row of a counter or gauge."""
        key = (definition.name, labels)
        row = self._rows.get(key)
        if row is None:
            with self._lock:
                row = self._rows.setdefault(key, Row(self._view(key, definition)))
        return row

    def histogram(self, definition: Definition, *labels: str) -> HistogramRow:
        """The row of a histogram."""
        key = (definition.name, labels)
        row = self._histograms.get(key)
        if row is None:
            with self._lock:
                made = HistogramRow(self._view(key, definition), definition.buckets)
                row = self._histograms.setdefault(key, made)
        return row

    def snapshot(self) -> Snapshot:
        """All numbers as they are."""
        with self._lock:
            views = dict(self._views)
        return {key: list(view) for key, view in views.items()}

    def _view(self, key: RowKey, definition: Definition) -> "memoryview[float]":
        if key not in self._views:
            self._views[key] = self._room(key, definition.width)
        return self._views[key]

    def _room(self, key: RowKey, width: int) -> "memoryview[float]":
        try:
            return self._allocate(key, width)
        except (MemoryError, OSError):
            return private(key, width)  # no request fails for want of a place to count it


def private(key: RowKey, width: int) -> "memoryview[float]":
    """Room that only this process sees."""
    return memoryview(bytearray(8 * width)).cast("d")


def merged(snapshots: list[Snapshot]) -> Snapshot:
    """The sums over processes."""
    total: Snapshot = {}
    for snapshot in snapshots:
        for key, values in snapshot.items():
            known = total.get(key)
            if known is None:
                total[key] = list(values)
            elif len(known) == len(values):
                total[key] = [a + b for a, b in zip(known, values, strict=True)]
    return total
