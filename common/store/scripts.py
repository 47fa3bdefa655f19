"""Runs the Lua scripts, and is the one place where Redis' exceptions stop."""

import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import redis
from redis.exceptions import NoScriptError, RedisClusterException, RedisError, ResponseError

from common.errors import InternalError, ServiceUnavailable
from common.store.cluster import is_cluster

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2.0

Argument = str | bytes | int | float

# A refusal for the state that the server is in begins with a word for it, such as MISCONF or
# CLUSTERDOWN; of a mere ERR redis-py leaves the text alone.
_STATE = re.compile(r"[A-Z]{3,} ")

# Everything that redis-py raises.
STORE_ERRORS = (RedisError, RedisClusterException)


@contextmanager
def store_errors(is_quiet: bool = False) -> Iterator[None]:
    """Turn anything that Redis or the way to it raises into ServiceUnavailable. It is logged,
    unless who asks every few seconds wants to be quiet about it.

    A command that the server will never carry out, such as a script that fails on what it finds,
    is an InternalError: trying again does not help.
    """
    try:
        yield
    except STORE_ERRORS as error:
        if type(error) is ResponseError and not _STATE.match(str(error)):
            log.error("the job store refused a command: reason=%s", error)
            raise InternalError("The job store failed.") from error
        # The text of a redis-py error may hold an address, never a password.
        if not is_quiet:
            log.warning("job store unavailable: error=%s reason=%s", type(error).__name__, error)
        raise ServiceUnavailable(
            "The job store cannot be reached.", retry_after_seconds=RETRY_AFTER_SECONDS
        ) from error


class Scripts:
    """The scripts by name; each runs atomically on the server."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        folder = files("common.store") / "lua"
        prelude = (folder / "prelude.lua").read_text("utf-8")
        self._sources = {
            entry.name.removesuffix(".lua"): prelude + entry.read_text("utf-8")
            for entry in folder.iterdir()
            if entry.name.endswith(".lua") and entry.name != "prelude.lua"
        }
        self._shas = {
            name: hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
            for name, source in self._sources.items()
        }

    def run(
        self,
        name: str,
        keys: Sequence[str],
        args: Sequence[Argument],
        is_quiet: bool = False,
    ) -> Any:
        """One round trip; a second and third only when the server does not know the script."""
        with store_errors(is_quiet):
            return self._loaded(
                name, lambda sha: self._client.evalsha(sha, len(keys), *keys, *args)
            )

    def run_after(
        self, first: Sequence[Argument], name: str, keys: Sequence[str], args: Sequence[Argument]
    ) -> Any:
        """The same with one more command ahead of it, in the same round trip."""
        return self.run_many(name, [(keys, args)], [first])[0]

    def run_many(
        self,
        name: str,
        calls: Sequence[tuple[Sequence[str], Sequence[Argument]]],
        firsts: Sequence[Sequence[Argument]] = (),
    ) -> list[Any]:
        """One script on the keys and arguments of many calls, after some commands; in one round
        trip. What each call answered."""

        def call(sha: str) -> list[Any]:
            evals = [("EVALSHA", sha, len(keys), *keys, *args) for keys, args in calls]
            return self._send([*firsts, *evals])[len(firsts) :]

        with store_errors():
            return self._loaded(name, call)  # type: ignore[no-any-return]

    def _send(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """All in one round trip; on a cluster, whose pipelines know no scripts, one after one."""
        if is_cluster(self._client):
            client: Any = self._client
            return [client.execute_command(*command) for command in commands]
        pipe = self._client.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)  # type: ignore[no-untyped-call]
        return pipe.execute()

    def _loaded(self, name: str, call: Callable[[str], Any]) -> Any:
        try:
            return call(self._shas[name])
        except NoScriptError:
            self._client.script_load(self._sources[name])
            return call(self._shas[name])
