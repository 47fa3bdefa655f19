"""Looking for planted secrets wherever they could have been written down."""

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

import redis


def forms_of(secret: str) -> set[bytes]:
    """The secret as it would look plain, quoted for a URL, in hexadecimal, and in base64 wherever
    in a longer text it stood."""
    raw = secret.encode()
    forms = {raw, quote(secret, safe="").encode(), raw.hex().encode(), raw.hex().upper().encode()}
    for before in range(3):
        padded = b"\0" * before + raw
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # Only the letters that none of the neighbours has a part in.
            first = -(-before * 8 // 6)
            forms.add(encode(padded)[first : len(padded) * 8 // 6])
    return forms


def found_in(places: Mapping[str, bytes], secrets: Mapping[str, str]) -> list[str]:
    """``secret in place`` for each that was found."""
    wanted = {name: forms_of(secret) for name, secret in secrets.items()}
    return [
        f"{name} in {place}"
        for place, text in places.items()
        for name, forms in wanted.items()
        if any(form in text for form in forms)
    ]


def all_of_redis(client: "redis.Redis") -> dict[str, bytes]:
    """Every key with all that it holds, by the key's name."""
    return {key.decode(): key + b"\n" + _value(client, key) for key in client.scan_iter(count=1000)}


def _value(client: "redis.Redis", key: bytes) -> bytes:
    kind = client.type(key)
    if kind == b"string":
        return client.get(key) or b""
    if kind == b"hash":
        return _joined(part for pair in client.hgetall(key).items() for part in pair)
    if kind == b"list":
        return _joined(client.lrange(key, 0, -1))
    if kind == b"set":
        return _joined(client.smembers(key))
    if kind == b"zset":
        return _joined(client.zrange(key, 0, -1))
    if kind == b"stream":
        return repr(client.xrange(key)).encode()
    assert kind == b"none", f"a type that is not searched: {kind!r}"
    return b""


def _joined(parts: Iterable[bytes]) -> bytes:
    return b"\n".join(parts)


def files_below(folder: Path, pattern: str) -> dict[str, bytes]:
    """The files of that name pattern in a folder and all below it."""
    return {path.name: path.read_bytes() for path in folder.rglob(pattern) if path.is_file()}


def command_lines() -> dict[str, bytes]:
    """The arguments of every process that can be looked at."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[f"the arguments of {path.parent.name}"] = path.read_bytes()
        except OSError:
            continue
    return found
