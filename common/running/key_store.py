"""Which Redis the keys of `muninn keys` are in: the one that is set, or the embedded server."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from common.running.data_lock import is_in_use
from common.running.embedded import CONFIG, HOST
from common.settings import Settings, load_settings
from common.store.connection import connect
from common.store.scripts import Scripts
from common.store.virtual_keys import KeyStore


class NoStore(Exception):
    """There is no Redis to keep keys in; the message says what to do."""


@contextmanager
def opened(environ: Mapping[str, str]) -> Iterator[tuple[KeyStore, Settings]]:
    """The keys, and the settings with the Redis that they are in. Raises SettingsError, and
    NoStore."""
    settings = load_settings(environ)
    settings = settings.model_copy(update={"redis_url": _url(settings)})
    client = connect(settings.redis_url)
    try:
        yield KeyStore(client, Scripts(client)), settings
    finally:
        client.close()


def _url(settings: Settings) -> str:
    if "redis_url" in settings.model_fields_set:
        return settings.redis_url
    url = embedded_url(settings.data_dir)
    if url is None:
        raise NoStore(
            "no Redis to keep keys in: set REDIS_URL to the server's, or let `muninn up` run "
            f"meanwhile on the same data directory ({settings.data_dir.resolve()}; see --data-dir)"
        )
    return url


def embedded_url(data_dir: Path) -> str | None:
    """Where the embedded server of a data directory listens; None when none runs on it.

    Port and password are in its configuration, a file that its own user alone can read.
    """
    folder = data_dir / "redis"
    if not is_in_use(folder):
        return None
    try:
        lines = (folder / CONFIG).read_text("ascii").splitlines()
    except FileNotFoundError:
        return None
    values = {name: value for name, _, value in (line.partition(" ") for line in lines)}
    return f"redis://:{values['requirepass']}@{HOST}:{values['port']}/0"
