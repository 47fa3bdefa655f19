"""The official openai-node against a running Muninn, where node is there."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PINNED = "openai@7.57.0"
SCRIPT = Path(__file__).parent / "node" / "session.mjs"
INSTALL_SECONDS = 120
INSTALL = ["npm", "install", "--no-audit", "--no-fund", "--no-save", "--prefer-offline", PINNED]


@pytest.fixture(scope="module")
def folder_with_sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the script and the client installed beside it."""
    for command in ("node", "npm"):
        if shutil.which(command) is None:
            pytest.skip(f"{command} is not installed")
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text('{"private": true}')
    shutil.copy(SCRIPT, folder)
    try:
        subprocess.run(
            INSTALL, cwd=folder, check=True, capture_output=True, timeout=INSTALL_SECONDS
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm could not install {PINNED}: {type(error).__name__}")
    return folder


@pytest.fixture(scope="module")
def told(folder_with_sdk: Path, v1: str) -> Any:
    """What the script saw."""
    run = subprocess.run(
        ["node", SCRIPT.name, v1],
        cwd=folder_with_sdk,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["delta"] for event in events)


def test_inline_and_stream(told):
    assert told["inline"] == "hi"
    assert text_of(told["stream"]) == "a b c"
    assert told["stream"][-1]["type"] == "response.completed"


def test_a_background_job_is_submitted_polled_and_found_by_both_ids(told):
    submitted, done = told["submitted"], told["done"]
    assert (submitted["status"], submitted["text"]) == ("queued", "")
    assert submitted["metadata"] == {"k": "v"}
    assert (done["status"], done["text"]) == ("completed", "later")
    assert done["id"] != submitted["id"]
    assert told["byProvidersId"] == "later"
    assert told["async"] == {"status": "queued", "text": "async"}


def test_the_input_items_are_listed(told):
    (item,) = told["inputItems"]
    assert item["content"] == [{"type": "input_text", "text": "later"}]


def test_cancel_and_delete(told):
    assert told["cancelled"] == "cancelled"
    assert told["deleted"] == {"status": 404, "code": "job_not_found"}


def test_a_stream_is_resumed_where_it_was_left(told):
    resumed = told["resumed"]
    assert [event["number"] for event in resumed] == list(range(len(resumed)))
    assert text_of(resumed) == "one two three four"
    assert resumed[-1]["type"] == "response.completed"
    assert told["replayed"] == resumed
    assert told["final"] == "one two three four"


def test_the_stream_helper_gathers_a_jobs_response(told):
    assert told["helper"] == "x y"


def test_a_failed_job_is_an_answer_and_not_an_exception(told):
    assert told["failed"] == {"status": "failed", "hasMessage": True}
