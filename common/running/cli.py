"""The `muninn` command. Parsing only: what a command needs is imported when it is called."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from common.running.key_options import add_keys, positive

DESCRIPTION = """\
Muninn: an async layer for LLM calls that loses no job.
OpenAI's Responses API in front, Celery workers and Redis behind.

  front   takes requests over HTTP; answers, streams, or stores a job for later
  worker  runs the stored jobs against the providers
  store   Redis, where the jobs live: yours (REDIS_URL), or the embedded server of `muninn up`
"""

EXAMPLES = """\
examples:
  muninn up                               everything, on http://127.0.0.1:8080
  OPENAI_API_KEY=sk-... muninn up         with OpenAI as the default provider
  REDIS_URL=redis://host:6379/0 muninn up --workers 4
  muninn api --host 0.0.0.0 --port 80     one piece alone, for a process manager or a container
  muninn worker --concurrency 200
  muninn config                           the settings in effect, secrets masked
  muninn keys create --name team-a        a key; from then on every call needs one

Every setting is an environment variable; options are short for some of them and win.
Exit codes: 0 stopped or done, 1 could not start, 2 a wrong setting or option.
"""

# An option and the variable that carries its value to the processes.
VARIABLES = {
    "host": "MUNINN_HOST",
    "port": "MUNINN_PORT",
    "concurrency": "MUNINN_WORKER_CONCURRENCY",
    "data_dir": "MUNINN_DATA_DIR",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    arguments = _parser().parse_args(argv)
    environ = dict(os.environ) | _as_variables(arguments)
    try:
        return _run(arguments, environ)
    except KeyboardInterrupt:
        return 130


def _run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    if arguments.command == "version":
        return _show_version()
    from common.running.commands import become, show_config
    from common.running.up import CannotStart, up
    from common.settings import SettingsError

    try:
        if arguments.command == "config":
            return show_config(environ, arguments.json)
        if arguments.command == "keys":
            from common.running.key_commands import manage_keys

            return manage_keys(arguments, environ)
        if arguments.command == "up":
            return up(environ, arguments.workers)
        return become(arguments.command, environ)
    except SettingsError as error:
        return _fail(str(error), 2)
    except CannotStart as error:
        return _fail(str(error), 1)


def _show_version() -> int:
    from importlib.metadata import version

    print(f"muninn {version('muninn')}")
    return 0


def _fail(message: str, code: int) -> int:
    print(f"muninn: {message}", file=sys.stderr)
    return code


def _as_variables(arguments: argparse.Namespace) -> dict[str, str]:
    values = ((name, getattr(arguments, name, None)) for name in VARIABLES)
    return {VARIABLES[name]: str(value) for name, value in values if value is not None}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="muninn",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_up(commands)
    _add_pieces(commands)
    add_keys(commands)
    config = commands.add_parser("config", help="print the settings in effect, secrets masked")
    config.add_argument("--json", action="store_true", help="as one JSON object")
    commands.add_parser("version", help="print the version")
    return parser


def _add_up(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "start and supervise everything; what a machine needs"
    command = commands.add_parser("up", help=summary, description=UP)
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    _add_listening(command)
    _add_concurrency(command)
    command.add_argument("--data-dir", help="the embedded server's data (default: .muninn)")
    command.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="worker processes (default: 1)"
    )


def _add_pieces(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    _add_listening(commands.add_parser("api", help="the front alone; needs REDIS_URL for jobs"))
    _add_concurrency(commands.add_parser("worker", help="one worker alone; needs REDIS_URL"))


def _add_listening(command: argparse.ArgumentParser) -> None:
    command.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    command.add_argument(
        "--port", type=_port, help="port to listen on (default: $PORT, or 8080; 0: any free one)"
    )


def _add_concurrency(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--concurrency",
        type=positive,
        metavar="N",
        help="provider calls that one worker process runs at once (default: 500)",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or len(text) > 5 or int(text) > 65535:
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return int(text)


UP = """\
Start the embedded server (unless REDIS_URL is set), the front and the workers; restart what dies.

Jobs and results are kept in the data directory, so stopping and starting again loses nothing.
Ctrl-C stops the front first, then the workers, which have MUNINN_SHUTDOWN_GRACE_SECONDS to
finish their jobs; a second Ctrl-C kills at once.

examples:
  muninn up --port 9000 --data-dir ~/muninn
  REDIS_URL=rediss://:password@host:6380/0 muninn up --workers 4 --concurrency 250
"""
