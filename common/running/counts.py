"""The folder that the front and the workers of one `muninn up` count in together."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "muninn-counts-"
HELD = "held"
# A folder that is being made is not locked yet.
YOUNG_SECONDS = 60.0


@contextmanager
def counts_folder(given: Path | None) -> Iterator[Path]:
    """The folder that the settings name, or one of our own, which is removed at the end, or, where
    we are killed, by the next that starts."""
    if given is not None:
        yield given.resolve()
        return
    _remove_abandoned(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with (folder / HELD).open("wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(root: Path) -> None:
    for held in root.glob(f"{PREFIX}*/{HELD}"):
        with suppress(OSError):  # it is just being removed by another
            if _is_abandoned(held):
                shutil.rmtree(held.parent, ignore_errors=True)


def _is_abandoned(held: Path) -> bool:
    found = held.lstat()
    if found.st_uid != os.getuid() or time.time() - found.st_mtime < YOUNG_SECONDS:
        return False
    with held.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
