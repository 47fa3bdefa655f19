"""TCP ports of this machine: whether one is free, and finding one that is."""

import random
import socket

# Below every system's range of ephemeral ports: a port in it may be taken by an outgoing
# connection while its server is restarted, even by a client that tries to reach that server.
QUIET_PORTS = range(20_000, 32_000)


def fault_of_listening(host: str, port: int) -> str | None:
    """Why nothing can listen there, in words, or None when it can."""
    try:
        with _listening(host, port):
            return None
    except OSError as error:
        return error.strerror or str(error)


def front_fault(host: str, port: int) -> str | None:
    """The same of a front, as a line that says what to do."""
    fault = fault_of_listening(host, port)
    if fault is None:
        return None
    return f"the front cannot listen on {host}:{port}: {fault}; choose another with --port or PORT"


def free_port(host: str) -> int:
    """A port that is free on ``host`` now; raises OSError when none is found."""
    for port in random.sample(QUIET_PORTS, 100):
        if fault_of_listening(host, port) is None:
            return port
    raise OSError(f"no free port found on {host}")


def reachable_host(host: str) -> str:
    """The address at which this machine reaches a server that listens on ``host``."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def http_url(host: str, port: int) -> str:
    """`http://host:port`, with brackets around an IPv6 address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listening(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # As servers do it: connections in TIME_WAIT are no obstacle, a listener is.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener
