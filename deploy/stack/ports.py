"""TCP ports on the loopback interface."""

import random
import socket

import psutil

from deploy.stack.errors import StackError

LOOPBACK = "127.0.0.1"
PORTS = range(65_536)

# Below the range from which kernels take the source ports of outgoing connections (32768 on
# Linux, 49152 elsewhere): there, a client that reconnects while its server restarts can take
# the server's port, or even connect to itself.
FREE_PORTS = range(20_000, 32_000)


# Whoever was given a port may not listen on it yet; and whoever seeds the common generator, as
# property tests do, must not make it repeat itself.
_given: set[int] = set()
_chance = random.SystemRandom()


def free_port() -> int:
    """Return a port nobody listens on just now, each time another one."""
    for port in _chance.sample(FREE_PORTS, 200):
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise StackError(f"Of 200 ports tried on {LOOPBACK} none is free. Stop what listens there.")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def require_free(port: int, *, asked_by: str) -> None:
    """Raise StackError, naming who has the port where that can be seen, unless it is free."""
    if port not in PORTS:
        raise StackError(f"{asked_by} cannot be {port}: ports are {PORTS[0]} to {PORTS[-1]}.")
    if not is_free(port):
        raise StackError(
            f"{asked_by} is to listen on {LOOPBACK}:{port}, but that port is taken"
            f"{_owner(port)}. Stop what listens there or choose another port."
        )


def _owner(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.laddr and connection.laddr.port == port:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        return ""
    return ""
