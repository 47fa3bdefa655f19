"""What `muninn keys create | list | revoke | rotate | usage` do."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from common.errors import ServiceUnavailable
from common.key_rows import keys_of_rows
from common.running.key_store import NoStore, opened
from common.settings import Settings
from common.store import open_store
from common.store.usage import UsageStore
from common.store.virtual_keys import KeyStore
from common.usage_rows import usage_rows
from common.virtual_keys import VirtualKey, digest_of, new_key_id, new_secret

HOW_TO_SEND = "Send it as `Authorization: Bearer <key>` or `x-api-key: <key>`."
COLUMNS = ("name", "id", "status", "models", "rpm", "max_running", "expires_at", "is_admin")


class Refused(Exception):
    """What was asked for cannot be done; the message says why."""


def manage_keys(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Do what the command line asks for; return the exit code. Raises SettingsError."""
    actions: dict[str, Callable[[KeyStore, Settings, argparse.Namespace], None]] = {
        "create": _create,
        "list": _list,
        "revoke": _revoke,
        "rotate": _rotate,
        "usage": _usage,
    }
    try:
        with opened(environ) as (store, settings):
            actions[arguments.action](store, settings, arguments)
    except (NoStore, Refused) as fault:
        return _fail(str(fault))
    except ServiceUnavailable:
        return _fail("Redis cannot be reached; nothing was changed")
    return 0


def _create(store: KeyStore, settings: Settings, arguments: argparse.Namespace) -> None:
    name = arguments.name
    known = store.get(name)
    if known is not None and known.status(time.time()) == "active":
        raise Refused(f"there is a key {name} already; rotate or revoke it, or take another name")
    secret, now = new_secret(), int(time.time())
    key = VirtualKey(
        id=new_key_id(),
        name=name,
        digest=digest_of(secret),
        created_at=now,
        models=tuple(arguments.models),
        rpm=arguments.rpm,
        max_running=arguments.max_running,
        expires_at=now + arguments.expires if arguments.expires else None,
        is_admin=arguments.admin,
    )
    _put(store, key, known)
    _hand_over(secret, f"created key {name} ({key.id})")


def _rotate(store: KeyStore, settings: Settings, arguments: argparse.Namespace) -> None:
    known = _known(store, arguments.name)
    if known.is_revoked:
        raise Refused(f"the key {known.name} is revoked; create it again")
    secret, now = new_secret(), int(time.time())
    key = replace(
        known,
        digest=digest_of(secret),
        previous_digest=known.digest if arguments.keep_old else "",
        previous_until=now + arguments.keep_old if arguments.keep_old else 0,
    )
    _put(store, key, known)
    _hand_over(secret, f"rotated key {key.name} ({key.id}); its jobs stay its own")


def _revoke(store: KeyStore, settings: Settings, arguments: argparse.Namespace) -> None:
    known = _known(store, arguments.name)
    if not known.is_revoked:
        _put(store, replace(known, is_revoked=True, previous_digest=""), known)
    print(f"revoked key {known.name} ({known.id}); every front refuses it within a second")


def _list(store: KeyStore, settings: Settings, arguments: argparse.Namespace) -> None:
    now = time.time()
    rows = [_row(key, now) for key in _all(store, settings)]
    if arguments.json:
        print(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=2))
    elif rows:
        print(_table([COLUMNS, *rows]))
    else:
        print("no keys: whoever reaches the gateway may use it")


def _all(store: KeyStore, settings: Settings) -> list[VirtualKey]:
    return [*keys_of_rows(settings.keys), *store.all()[1]]


def _usage(store: KeyStore, settings: Settings, arguments: argparse.Namespace) -> None:
    names = {key.id: key.name for key in _all(store, settings)}
    jobs = open_store(settings)
    try:
        usage = UsageStore(jobs).of_last(arguments.days, None)
    finally:
        jobs.client.close()
    rows = usage_rows(usage, lambda owner: names.get(owner, owner) or None)
    if arguments.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        shown = [{**row, "total_cost": f"{row['total_cost']:.6f}"}.values() for row in rows]
        print(_table([rows[0].keys(), *shown]))
    else:
        print("nothing was used")


def _row(key: VirtualKey, now: float) -> list[object]:
    moment = datetime.fromtimestamp(key.expires_at, UTC) if key.expires_at is not None else None
    expires = moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else None
    shown = [key.name, key.id, key.status(now), list(key.models)]
    return [*shown, key.rpm, key.max_running, expires, key.is_admin]


def _cell(value: object) -> str:
    if isinstance(value, list):
        return " ".join(value) or "any"
    if isinstance(value, bool):
        return "yes" if value else ""
    return "" if value is None else str(value)


def _table(rows: Iterable[Iterable[object]]) -> str:
    """Columns side by side; the first row is their names."""
    heading, *cells = [[_cell(value) for value in row] for row in rows]
    lines = [[name.upper() for name in heading], *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return "\n".join(line.rstrip() for line in shown)


def _known(store: KeyStore, name: str) -> VirtualKey:
    key = store.get(name)
    if key is not None:
        return key
    names = ", ".join(key.name for key in store.all()[1]) or "none"
    raise Refused(f"no key {name!r} in Redis; there are: {names}")


def _put(store: KeyStore, key: VirtualKey, instead_of: VirtualKey | None) -> None:
    if not store.put(key, instead_of):
        raise Refused(f"the key {key.name} was changed by somebody else just now; look, try again")


def _hand_over(secret: str, what: str) -> None:
    """The secret alone on the standard output, so that a script can take it from there."""
    print(f"{what}. {HOW_TO_SEND}\nIt is shown this once: only its hash is kept.", file=sys.stderr)
    print(secret)


def _fail(message: str) -> int:
    print(f"muninn: {message}", file=sys.stderr)
    return 1
