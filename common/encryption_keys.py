"""The keys that secrets are stored under, as they are written in their setting. Pure."""

import re

# 32 bytes in base64, of either alphabet: `openssl rand -base64 32` writes the ordinary one.
_FERNET_KEY = re.compile(r"[A-Za-z0-9_+/-]{43}=")


def encryption_keys(text: str) -> tuple[str, ...]:
    """The Fernet keys in a list with commas or spaces: the first encrypts, all decrypt.

    Raises ValueError, without the value, for one that is none.
    """
    keys = text.replace(",", " ").split()
    if not keys:
        raise ValueError("names no key")
    for number, key in enumerate(keys, 1):
        if not _FERNET_KEY.fullmatch(key):
            raise ValueError(f"key {number} is no Fernet key: 32 random bytes in base64")
    return tuple(key.replace("+", "-").replace("/", "_") for key in keys)
