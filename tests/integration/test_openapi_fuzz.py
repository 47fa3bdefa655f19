"""Requests generated from the running service's own description, and answers held against it.

``MUNINN_FUZZ_EXAMPLES`` asks for more of them, and for all that lies at the edges of the schema.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.calling import poll_to_the_end, submit
from tests.support.processes import Muninn, StoreServer

EXAMPLES = int(os.environ.get("MUNINN_FUZZ_EXAMPLES", "0"))
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "missing_required_header",
    "unsupported_method",
)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Muninn]:
    """A Muninn of its own, for what is done to it leaves traces."""
    folder = tmp_path_factory.mktemp("fuzzed")
    server = StoreServer(folder / "store")
    running = Muninn(folder, server.url, stream_heartbeat_seconds=0.2)
    try:
        yield running.start()
    finally:
        running.stop()
        server.stop()


def some_ids(muninn: Muninn) -> list[str]:
    """A finished job, its provider's id, one that waits, a streamed one, and a batch."""
    v1 = f"{muninn.root}/v1"
    finished = submit(v1)
    answer = poll_to_the_end(v1, finished)
    streamed = requests.post(
        f"{v1}/responses",
        json={"model": "echo/hello", "input": "hi", "background": True, "stream": True},
        timeout=10,
    )
    batch = requests.post(
        f"{v1}/async/responses/batch",
        json={"requests": [{"custom_id": "a", "body": {"model": "echo/hello", "input": "hi"}}]},
        timeout=10,
    )
    assert streamed.ok
    return [finished, answer["id"], submit(v1, "echo/slow-600s"), batch.json()["id"]]


def test_generated_requests_bring_no_5xx_and_no_answer_that_is_not_described(
    fuzzed: Muninn, tmp_path: Path
) -> None:
    phases = "examples,coverage,fuzzing" if EXAMPLES else "fuzzing"
    argv = [
        *(str(Path(sys.executable).parent / "schemathesis"), "run"),
        f"{fuzzed.root}/openapi.json",
        *("--phases", phases, "--checks", ",".join(CHECKS), "--seed", "20261122"),
        *("--max-examples", str(EXAMPLES or 6), "--no-shrink", "--continue-on-failure"),
        *("--request-timeout", "30", "--warnings", "off", "--generation-database", "none"),
    ]
    environ = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
        "MUNINN_KNOWN_IDS": " ".join(some_ids(fuzzed)),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    ended = subprocess.run(
        argv, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=3600, check=False
    )
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-2_000:]
    assert "No checks were performed" not in ended.stdout
    for process in (*fuzzed.fronts, *fuzzed.workers):
        assert "Traceback" not in process.log_text(), process.log_text()[-5_000:]
