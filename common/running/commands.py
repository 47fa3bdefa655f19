"""What the commands of `muninn` do, once their options are in the environment."""

import difflib
import json
import os
import sys
from collections.abc import Mapping
from typing import NoReturn

from common.masked_settings import masked
from common.running.up import module_argv
from common.settings import PREFIX, Settings, load_settings, variable_of


def become(module: str, environ: Mapping[str, str]) -> NoReturn:
    """Check the settings, then become `python -m module`, so that signals reach it itself.

    Raises SettingsError.
    """
    load_settings(environ)
    argv = module_argv(module)
    os.execve(argv[0], argv, dict(environ))  # noqa: S606 - no shell is wanted


def show_config(environ: Mapping[str, str], as_json: bool) -> int:
    """Print the effective settings, secrets masked; raises SettingsError."""
    shown = masked(load_settings(environ))
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        providers = shown.pop("providers")
        lines = [f"{variable_of(field)}={_plain(value)}" for field, value in shown.items()]
        lines += [f"provider {name}: {_row(row)}" for name, row in providers.items()]
        print("\n".join(lines))
    for variable in _unknown(environ):
        print(f"muninn: {variable}", file=sys.stderr)
    return 0


def _plain(value: object) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _row(row: Mapping[str, object]) -> str:
    return " ".join(f"{field}={json.dumps(value)}" for field, value in row.items() if value)


def _unknown(environ: Mapping[str, str]) -> list[str]:
    """A line for each variable that looks like a setting and is none: most often a slip."""
    known = [variable_of(field) for field in Settings.model_fields]
    lines = []
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            close = difflib.get_close_matches(variable, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            lines.append(f"{variable} is not a setting{hint}")
    return lines
