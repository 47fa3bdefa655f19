"""`muninn up`: the embedded server if needed, the front and the workers, under one supervisor."""

import http.client
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from common.running.banner import banner
from common.running.child import ChildSpec
from common.running.console import Console
from common.running.counts import counts_folder
from common.running.data_lock import DataDirInUse
from common.running.embedded import EmbeddedServer, EmbeddedUnavailable
from common.running.ports import free_port, front_fault, reachable_host
from common.running.supervisor import Supervisor
from common.settings import Settings, load_settings, variable_of

HEALTH_TIMEOUT_SECONDS = 1.0
# Beyond the grace of the settings: time for a process to end after its jobs have.
MARGIN_SECONDS = 5.0


class CannotStart(Exception):
    """Something is in the way of starting; nothing was started."""


def up(environ: Mapping[str, str], workers: int) -> int:
    """Start everything and supervise it until a signal; return the exit code.

    ``environ`` is the environment with the options of the command line in it. Raises
    SettingsError, and CannotStart before anything is started.
    """
    settings = load_settings(environ)
    settings = settings.model_copy(update={"port": _port_of_front(settings)})
    embedded = None if "redis_url" in settings.model_fields_set else _embedded(settings)
    try:
        with counts_folder(settings.metrics_dir) as counts:
            return _supervise(settings, environ, workers, embedded, counts)
    finally:
        if embedded is not None:
            embedded.release()


def _supervise(
    settings: Settings,
    environ: Mapping[str, str],
    workers: int,
    embedded: EmbeddedServer | None,
    counts: Path,
) -> int:
    env = dict(environ) | {"PYTHONUNBUFFERED": "1", variable_of("port"): str(settings.port)}
    # The front shows what the workers count, and one port would not do for them all.
    env |= {variable_of("metrics_dir"): str(counts), variable_of("metrics_port"): "0"}
    if embedded is not None:
        env[variable_of("redis_url")] = embedded.url
    stages = [_worker_specs(settings, env, workers), [_front_spec(settings, env)]]
    if embedded is not None:
        stages.insert(0, [embedded.spec])
    data_dir = None if embedded is None else settings.data_dir.resolve()
    width = max(len(spec.name) for stage in stages for spec in stage)
    console = Console(width=width, is_json=settings.log_format == "json")
    supervisor = Supervisor(stages, console)
    return supervisor.run(lambda: console.block(banner(settings, workers, data_dir)))


def _port_of_front(settings: Settings) -> int:
    port = settings.port or free_port(settings.host)
    fault = front_fault(settings.host, port)
    if fault is not None:
        raise CannotStart(fault)
    return port


def _embedded(settings: Settings) -> EmbeddedServer:
    try:
        return EmbeddedServer(settings.data_dir, settings.embedded_fsync)
    except (EmbeddedUnavailable, DataDirInUse) as error:
        raise CannotStart(str(error)) from None
    except OSError as error:
        raise CannotStart(f"{variable_of('data_dir')}: {error}") from None


def _front_spec(settings: Settings, env: Mapping[str, str]) -> ChildSpec:
    return ChildSpec(
        name="api",
        argv=module_argv("api"),
        env=env,
        grace_seconds=settings.shutdown_grace_seconds + MARGIN_SECONDS,
        ready=lambda: _is_healthy(settings),
    )


def _worker_specs(settings: Settings, env: Mapping[str, str], workers: int) -> Sequence[ChildSpec]:
    names = ["worker"] if workers == 1 else [f"worker.{n}" for n in range(1, workers + 1)]
    grace_seconds = settings.shutdown_grace_seconds + MARGIN_SECONDS
    return [
        ChildSpec(name, module_argv("worker"), env, grace_seconds=grace_seconds) for name in names
    ]


def module_argv(module: str) -> tuple[str, ...]:
    """How a door is started. ``-P``: a folder `api` or `worker` of the caller's is not ours."""
    return (sys.executable, "-P", "-m", module)


def _is_healthy(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(
        reachable_host(settings.host), settings.port, timeout=HEALTH_TIMEOUT_SECONDS
    )
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
