"""The options of `muninn keys`. Parsing only, as all of the command line."""

import argparse
import re

MOST_DAYS = 400
MOST_DIGITS = 9
MOST_YEARS = 100
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}

ABOUT = """\
Virtual keys: who may call the gateway, for which models, and how much.

They are kept, hashed, in the Redis of REDIS_URL, or in the embedded server of a `muninn up` that
runs on the same data directory. A change holds on every front within a second. As soon as there is
one key, every call needs one.

examples:
  muninn keys create --name team-a --models 'openai/*' --rpm 600 --max-running 20 --expires 90d
  KEY=$(muninn keys create --name ci)
  muninn keys list
  muninn keys rotate team-a --keep-old 1h
  muninn keys revoke team-a
  muninn keys usage --days 30
"""


def add_keys(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `keys` and what can be done with them."""
    keys = commands.add_parser("keys", help="create, list, revoke, rotate and account for keys")
    keys.description, keys.formatter_class = ABOUT, argparse.RawDescriptionHelpFormatter
    actions = keys.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_create(actions)
    listing = _add(actions, "list", "show the keys, without their secrets")
    listing.add_argument("--json", action="store_true", help="as one JSON array")
    _add(actions, "revoke", "end a key for good").add_argument("name", metavar="NAME")
    usage = _add(actions, "usage", "show what each key has used, by day (UTC)")
    usage.add_argument(
        "--days", type=_days, default=7, metavar="N", help="how many, with today (default: 7)"
    )
    usage.add_argument("--json", action="store_true", help="as one JSON array")
    rotate = _add(actions, "rotate", "give a key a new secret; its jobs stay its own")
    rotate.add_argument("name", metavar="NAME")
    rotate.add_argument(
        "--keep-old",
        type=_duration,
        default=0,
        metavar="TIME",
        help="how long the old secret stays good, such as 1h (default: no longer)",
    )


def _add(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=summary, description=summary)
    action.add_argument(
        "--data-dir", help="of the `muninn up` whose embedded server is meant (default: .muninn)"
    )
    return action


def _add_create(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    create = _add(actions, "create", "make a key; its secret is shown once")
    create.add_argument(
        "--name", type=_name, required=True, help="what it is called in all other commands"
    )
    create.add_argument(
        "--models",
        type=_model_pattern,
        nargs="+",
        action="extend",
        default=[],
        metavar="PATTERN",
        help="what it is for, such as 'openai/*' or openai/gpt-4o-mini (default: any)",
    )
    create.add_argument("--rpm", type=positive, metavar="N", help="requests in any minute")
    create.add_argument("--max-running", type=positive, metavar="N", help="jobs running at once")
    create.add_argument("--expires", type=_duration, metavar="TIME", help="30d, 12h, 45m …")
    create.add_argument("--admin", action="store_true", help="may see and end the jobs of all")


def _name(text: str) -> str:
    from common.provider_rows import NAME

    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r}: use up to 63 lower-case letters, digits, _ . -, a letter or digit first"
        )
    return text


def _model_pattern(text: str) -> str:
    from common.virtual_keys import is_model_pattern

    if not is_model_pattern(text):
        raise argparse.ArgumentTypeError(f"{text!r}: write provider/model, such as 'openai/*'")
    return text


def positive(text: str) -> int:
    """The type of an option that is a count. Raises ArgumentTypeError."""
    if not text.isdecimal() or len(text) > MOST_DIGITS or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"must be a whole number above 0, of {MOST_DIGITS} digits at most"
        )
    return int(text)


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"must be 1 to {MOST_DAYS}")
    return int(text)


def _duration(text: str) -> int:
    """Seconds, out of a number and one of the units above."""
    found = re.fullmatch(r"([0-9]{1,6})([smhdw])", text, re.ASCII)
    seconds = int(found[1]) * SECONDS[found[2]] if found else 0
    if not 0 < seconds <= MOST_YEARS * 365 * SECONDS["d"]:
        raise argparse.ArgumentTypeError(
            f"must be a time such as 30d, 12h or 45m, and {MOST_YEARS} years at most"
        )
    return seconds
