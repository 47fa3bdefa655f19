"""The numbers of a process, and of all processes of a machine."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from common.metrics import Metrics
from common.metrics import definitions as d
from common.metrics.bounded import OTHER, BoundedLabel
from common.metrics.cells import Cells, Snapshot
from common.metrics.shared_file import SharedFile, read_folder

SUBMITTED = (d.JOBS_SUBMITTED.name, ())
SLOTS = (d.WORKER_SLOTS.name, ())

COUNT_AND_DIE = """
import os, signal, sys
from pathlib import Path
from common.metrics import Metrics
jobs = Metrics(Path(sys.argv[1])).jobs
for _ in range(int(sys.argv[2])):
    jobs.submitted()
jobs.working(500)
os.kill(os.getpid(), signal.SIGKILL)
"""


def count_and_die(folder: Path, jobs: int) -> None:
    """Another process counts, and is killed in the midst of its life."""
    argv = [sys.executable, "-c", COUNT_AND_DIE, str(folder), str(jobs)]
    assert subprocess.run(argv, check=False, cwd=Path(__file__).parents[2]).returncode == -9


def first(snapshot: Snapshot, key: tuple[str, tuple[str, ...]]) -> float:
    return snapshot.get(key, [0.0])[0]


def test_a_histogram_counts_a_value_in_the_bucket_that_it_is_not_above() -> None:
    definition = d.Definition("x", "histogram", "x", (), (1.0, 2.0))
    cells = Cells()
    row = cells.histogram(definition)
    for value in (0.5, 1.0, 1.5, 99.0):
        row.observe(value)
    assert cells.snapshot() == {("x", ()): [2.0, 1.0, 1.0, 102.0]}


def test_many_threads_lose_no_count(tmp_path: Path) -> None:
    row = Cells(SharedFile(tmp_path).allocate).row(d.JOBS_SUBMITTED)
    threads = [threading.Thread(target=lambda: [row.add() for _ in range(5_000)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_folder(tmp_path)[SUBMITTED] == [40_000.0]


def test_the_same_row_is_given_out_for_the_same_labels() -> None:
    cells = Cells()
    assert cells.row(d.JOBS_ENDED, "failed") is cells.row(d.JOBS_ENDED, "failed")
    assert cells.row(d.JOBS_ENDED, "failed") is not cells.row(d.JOBS_ENDED, "completed")


def test_processes_add_up_and_what_a_killed_one_counted_stays(tmp_path: Path) -> None:
    ours = Metrics(tmp_path)
    ours.jobs.submitted()
    count_and_die(tmp_path, 5)
    assert first(ours.snapshot(), SUBMITTED) == 6


def test_gauges_are_of_the_living_alone(tmp_path: Path) -> None:
    ours = Metrics(tmp_path)
    ours.jobs.working(200)
    count_and_die(tmp_path, 1)
    assert first(ours.snapshot(), SLOTS) == 200


def test_a_new_process_counts_on_where_a_dead_one_stopped(tmp_path: Path) -> None:
    count_and_die(tmp_path, 5)
    count_and_die(tmp_path, 2)
    assert [path.name for path in tmp_path.glob("*.cells")] == ["0.cells"]
    assert first(read_folder(tmp_path), SUBMITTED) == 7
    assert first(read_folder(tmp_path), SLOTS) == 0
    heir = Metrics(tmp_path)
    assert first(heir.snapshot(), SLOTS) == 0, "the gauge of the dead is not inherited"
    heir.jobs.submitted()
    assert first(heir.snapshot(), SUBMITTED) == 8


def test_a_name_that_was_cut_off_by_a_kill_costs_only_itself(tmp_path: Path) -> None:
    count_and_die(tmp_path, 3)
    names = tmp_path / "0.names"
    names.write_bytes(names.read_bytes() + b'["muninn_job_ret')
    heir = Metrics(tmp_path)
    heir.jobs.told("delivered")
    heir.requests.refused(ValueError())
    row = heir._cells.row(d.RATE_LIMITED, "queue_full")
    row.add()
    snapshot = heir.snapshot()
    assert first(snapshot, SUBMITTED) == 3
    assert snapshot[d.RATE_LIMITED.name, ("queue_full",)] == [1.0]


def test_what_does_not_fit_is_counted_for_nobody_and_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.metrics.shared_file.FILE_BYTES", 4096)
    metrics = Metrics(tmp_path)
    for number in range(1000):
        metrics._cells.row(d.RATE_LIMITED, str(number)).add()
    metrics.jobs.submitted()
    assert first(metrics.snapshot(), SUBMITTED) == 1


def test_a_folder_that_is_a_file_leaves_the_counts_in_the_process(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")
    metrics = Metrics(place)
    metrics.jobs.submitted()
    assert first(metrics.snapshot(), SUBMITTED) == 1


def test_a_label_takes_so_many_values_and_no_more() -> None:
    label = BoundedLabel(2)
    assert [label(value) for value in ("a", "b", "c", "a")] == ["a", "b", OTHER, "a"]


def test_a_label_is_short_and_plain() -> None:
    label = BoundedLabel(5)
    assert label('x"} 1\nfake 2') == "x_1_fake_2"
    assert len(label("m" * 500)) == 80
    assert label("") == OTHER
