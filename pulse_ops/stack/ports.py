"""Which ports of this machine are free.

A port is named before anybody listens on it. Meanwhile nobody else may get it: no connection of this machine, which
the system gives ports from 32768 (Linux) or 49152 (others) on, and no process that asks here at the same time.
"""

import socket
from collections.abc import Iterator
from random import SystemRandom
from threading import Lock

_BLOCKS = range(20_000, 32_700, 100)
# Held for as long as the process lives, even one that is killed: the system lets go of them.
_claims: list[socket.socket] = []


def free_port(host: str = "127.0.0.1", preferred: int = 0) -> int:
    """`preferred` if it can be bound now, else one that no process was given that asked here and still runs.

    Raises OSError when all are taken.
    """
    if preferred and is_free(host, preferred):
        return preferred
    with _one_at_a_time:
        for port in _ours:
            if is_free(host, port):
                return port
    raise OSError(f"no free port from {_BLOCKS.start} to {_BLOCKS.stop - 1} on {host}")


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _claimed() -> Iterator[int]:
    """Ports of the blocks that this process claims one after another.

    A claim is the block's first port, bound for datagrams: nobody here uses those, and a port is bound once.
    """
    for block in SystemRandom().sample(_BLOCKS, len(_BLOCKS)):
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", block))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        yield from range(block, block + _BLOCKS.step)


_ours = _claimed()
_one_at_a_time = Lock()
