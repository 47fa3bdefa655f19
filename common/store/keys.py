"""The names of all keys in Redis.

Everything of one job lives in one partition, and a partition's keys share a hash slot (the part in
braces), so that one script may change them together also on a Redis Cluster. A single server needs
only one partition.
"""

PREFIX = "muninn"
# Stands for the owner of jobs that were made without a key.
ANYONE = "-"
ENDED_CHANNEL = "muninn:ended"
VIRTUAL_KEYS = "muninn:virtual-keys"
# In front of what counts the requests of a key.
LIMITS_PREFIX = "muninn:limits"

# Celery's queues, each a list of its name where the broker is a Redis.
JOBS_QUEUE = "muninn.jobs"
WEBHOOKS_QUEUE = "muninn.webhooks"
# Of jobs that have waited for a place and were given one. Workers take from each queue in turn.
CALLED_QUEUE = "muninn.called"


class Keys:
    """Key names for a store of ``partitions`` partitions."""

    def __init__(self, partitions: int = 1, queue: str | None = None) -> None:
        self.partitions = partitions
        self._queues = [queue, WEBHOOKS_QUEUE, CALLED_QUEUE] if queue else []

    def partition_of(self, job_id: str) -> int:
        return int(job_id[-4:], 16) % self.partitions if self.partitions > 1 else 0

    def job(self, job_id: str) -> str:
        return f"{PREFIX}:{{{self.partition_of(job_id)}}}:job:{job_id}"

    def events(self, job_id: str) -> str:
        """The stream of a job's events."""
        return f"{self.job(job_id)}:events"

    def index(self, name: str, partition: int) -> str:
        """``queued``, ``running``, ``parked``, ``held``, ``webhooks``, ``gates`` or the ``line`` of
        a partition."""
        return f"{PREFIX}:{{{partition}}}:{name}"

    def owned(self, owner: str, partition: int) -> str:
        """The jobs of an owner, by the time they were created (ms)."""
        return f"{PREFIX}:{{{partition}}}:owner:{owner or ANYONE}"

    def all_owned(self, partition: int) -> str:
        """The jobs of all owners but ANYONE."""
        return self.index("owned", partition)

    def peers(self, owner: str, partition: int) -> str:
        """The gate of an owner's jobs that run at once."""
        return f"{self.owned(owner, partition)}:running"

    def calls(self, provider: str, partition: int) -> str:
        """The gate of the jobs that call a provider at once."""
        return self.index(f"provider:{provider}:running", partition)

    def batch(self, batch_id: str) -> str:
        """The record of a batch. Named as a job's is, so that its webhook is delivered by the same
        scripts; its jobs are in the same partition."""
        return self.job(batch_id)

    def minute(self, number: int, partition: int) -> str:
        """How many jobs were submitted and ended in a minute since 1970."""
        return self.index(f"minute:{number}", partition)

    def usage(self, day: int, partition: int) -> str:
        """What each owner has used on a day since 1970."""
        return self.index(f"usage:{day}", partition)

    def workers(self) -> str:
        """What the workers say of themselves."""
        return self.index("workers", 0)

    def alias(self, response_id: str) -> str:
        """Leads from the provider's response id to the job."""
        return f"{PREFIX}:alias:{response_id}"

    def of_script(self, job_id: str) -> list[str]:
        """KEYS of a script about one job, in the order that the scripts know them by."""
        partition = self.partition_of(job_id)
        return self._of_script(self.job(job_id), self.events(job_id), partition)

    def of_gates(self, partition: int) -> list[str]:
        """The same for the script that is about no job."""
        gates = self.index("gates", partition)
        return self._of_script(gates, gates, partition)

    def _of_script(self, record: str, events: str, partition: int) -> list[str]:
        webhooks = self.index("webhooks", partition)
        return [record, *self.indexes(partition), events, webhooks, *self._queues]

    def indexes(self, partition: int) -> list[str]:
        return [self.index(name, partition) for name in ("queued", "running", "parked")]


def bound_key(gate: str) -> str:
    """The bound of a gate, the newest that a submit has brought."""
    return f"{gate}:bound"


def partition_in(key: str) -> int:
    """The partition that a key belongs to."""
    return int(key[key.index("{") + 1 : key.index("}")])
