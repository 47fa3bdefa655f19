"""All that one process counts, and where it counts it."""

import logging
from pathlib import Path

from common.metrics.cells import Allocate, Cells, Snapshot
from common.metrics.job_counts import JobMetrics
from common.metrics.provider_calls import ProviderMetrics
from common.metrics.requests import ProviderTime, RequestMetrics
from common.metrics.shared_file import SharedFile, read_folder

log = logging.getLogger(__name__)


class Metrics:
    """The counts of this process; with a folder, together with all others that count there."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._cells = Cells(self._shared())
        provider_time = ProviderTime()
        self.requests = RequestMetrics(self._cells, provider_time)
        self.providers = ProviderMetrics(self._cells, provider_time)
        self.jobs = JobMetrics(self._cells)

    def snapshot(self) -> Snapshot:
        """The numbers to show."""
        if self._folder is None:
            return self._cells.snapshot()
        try:
            return read_folder(self._folder)
        except OSError as error:
            log.warning("shared counts cannot be read: %s", error.strerror)
            return self._cells.snapshot()

    def _shared(self) -> Allocate | None:
        """Room in the folder; without one, or where it is no good, this process counts alone."""
        if self._folder is None:
            return None
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return SharedFile(self._folder).allocate
        except OSError as error:
            log.warning("counts are not shared: %s", error.strerror)
            self._folder = None
            return None
