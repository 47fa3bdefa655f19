"""What the store's server does and keeps for each job: what the scaling model is made of."""

from typing import Any

from tests.bench.usage import ProcessTree
from tests.support.processes import StoreServer


class StoreUsage:
    """The server's counters from here on."""

    def __init__(self, store: StoreServer) -> None:
        self._store = store
        self._before = self._look()

    def per(self, count: int) -> dict[str, float]:
        """For each of ``count``: round trips, commands (those inside scripts too), processor
        time, memory that is kept, and bytes over the network and to the append-only file (which
        are not known when the file was rewritten meanwhile)."""
        now, before, count = self._look(), self._before, max(1, count)
        if now["store_file_bytes"] < before["store_file_bytes"]:
            del now["store_file_bytes"]
        return {name: (now[name] - before[name]) / count for name in now}

    def _look(self) -> dict[str, float]:
        with self._store.client() as client:
            info: dict[str, Any] = client.info()
        cpu_seconds = ProcessTree(self._store.process.pid).cpu_seconds()
        return {
            "store_reads": info["total_reads_processed"],
            "store_commands": info["total_commands_processed"],
            "store_cpu_us": cpu_seconds * 1e6,
            "store_kept_bytes": info["used_memory"],
            "store_network_bytes": info["total_net_input_bytes"] + info["total_net_output_bytes"],
            "store_file_bytes": info["aof_current_size"],
        }
