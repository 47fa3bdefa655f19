"""The numbers of the processes of one machine, in files of a folder that they share.

Each process holds a file, by a lock that ends with it, whatever ends it. A new process takes over
the file of one that is gone and counts on from there, so that no counter ever goes backwards and
the files do not grow in number; but gauges are of the living alone.

``N.cells`` holds doubles of the machine, ``N.names`` a line of JSON for each row: its metric, its
labels, where it begins and how many numbers it has.
"""

import errno
import fcntl
import mmap
import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO

import orjson

from common.metrics.cells import RowKey, Snapshot, merged
from common.metrics.definitions import BY_NAME

CELL_BYTES = 8
# 64 K numbers: with every label at its bound about a third of it is used.
FILE_BYTES = 512 * 1024


class SharedFile:
    """The file that this process counts in. Give its ``allocate`` to ``Cells``."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where there is no room, or none to write."""
        # Both stay open, and the first locked, for as long as the process lives.
        cells_file, path = _taken(folder)
        _fill(cells_file)
        self._names_file = _opened_names(path)
        memory = mmap.mmap(cells_file, FILE_BYTES)
        self._cells = memoryview(memory).cast("d")
        self._places = _places(path)
        self._used = max((begin + width for begin, width in self._places.values()), default=0)
        self._forget_gauges()

    def allocate(self, key: RowKey, width: int) -> "memoryview[float]":
        """The numbers of a row, as an earlier process has left them. Raises MemoryError."""
        begin, known_width = self._places.get(key, (self._used, width))
        if known_width != width or begin + width > len(self._cells):
            raise MemoryError("no room for another metric")
        if key not in self._places:
            name, labels = key
            os.write(self._names_file, orjson.dumps([name, labels, begin, width]) + b"\n")
            self._places[key] = (begin, width)
            self._used += width
        return self._cells[begin : begin + width]

    def _forget_gauges(self) -> None:
        for (name, _), (begin, _) in self._places.items():
            if _is_gauge(name):
                self._cells[begin] = 0.0


def read_folder(folder: Path) -> Snapshot:
    """The sums over all processes that count, or have counted, in a folder."""
    return merged([_read(path) for path in sorted(folder.glob("*.cells"))])


def _taken(folder: Path) -> tuple[int, Path]:
    """The first file that nobody holds, held."""
    for number in count():
        path = folder / f"{number}.cells"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file, path
        except BlockingIOError:
            os.close(file)
    raise AssertionError("numbers do not end")


def _fill(file: int) -> None:
    """Write the file to its full length: a page that there is no room for on the disk when it is
    first counted in would end the process."""
    missing = FILE_BYTES - os.fstat(file).st_size
    if missing > 0 and os.pwrite(file, bytes(missing), FILE_BYTES - missing) < missing:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _opened_names(path: Path) -> int:
    names = path.with_suffix(".names")
    is_cut_off = names.exists() and not names.read_bytes().endswith(b"\n")
    file = os.open(names, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if is_cut_off:
        os.write(file, b"\n")
    return file


def _read(path: Path) -> Snapshot:
    places = _places(path)
    with path.open("rb") as file:
        is_held = _is_held(file)
        content = file.read()
    cells = memoryview(content[: len(content) // CELL_BYTES * CELL_BYTES]).cast("d")
    return {
        (name, labels): list(cells[begin : begin + width])
        for (name, labels), (begin, width) in places.items()
        if begin + width <= len(cells) and (is_held or not _is_gauge(name))
    }


def _is_held(file: BinaryIO) -> bool:
    """Whether the process that counts in this file lives."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def _is_gauge(name: str) -> bool:
    return name in BY_NAME and BY_NAME[name].kind == "gauge"


def _places(path: Path) -> dict[RowKey, tuple[int, int]]:
    """Where each row is, by the lines that were written whole."""
    try:
        *lines, _cut_off = path.with_suffix(".names").read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}
    places: dict[RowKey, tuple[int, int]] = {}
    for line in lines:
        with suppress(ValueError):
            name, labels, begin, width = orjson.loads(line)
            places[name, tuple(labels)] = (begin, width)
    return places
