"""The gates that a job goes through: bounds on how many jobs may be somewhere at once.

What a gate is, and how one goes through it, is told in ``lua/prelude.lua``.
"""

from common.jobs import NewJob
from common.store.keys import Keys

NO_BOUND = "-"


def gate_fields(job: NewJob, keys: Keys) -> list[str]:
    """Field and value, in turn, that name the gates of a job in its record."""
    partition = keys.partition_of(job.id)
    fields: list[str] = []
    if job.max_running is not None:
        fields += ["peers", keys.peers(job.owner, partition)]
    if job.max_in_flight is not None:
        fields += ["calls", keys.calls(job.provider, partition)]
    return fields


def newest_bounds(job: NewJob, keys: Keys) -> str:
    """What the gates' bounds are from now on; they count for all jobs that wait there.

    An owner without a bound may have had one before.
    """
    partition = keys.partition_of(job.id)
    bounds: list[str] = []
    if job.owner:
        bound = NO_BOUND if job.max_running is None else str(job.max_running)
        bounds.append(f"{keys.peers(job.owner, partition)} {bound}")
    if job.max_in_flight is not None:
        share = share_of(job.max_in_flight, partition, keys.partitions)
        bounds.append(f"{keys.calls(job.provider, partition)} {share}")
    return " ".join(bounds)


def share_of(bound: int, partition: int, partitions: int) -> int:
    """What a partition has of a bound that all of them share: none has less than 1."""
    return max(1, bound // partitions + (partition < bound % partitions))
