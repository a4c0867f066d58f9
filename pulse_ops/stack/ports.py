"""Which ports of this machine are free."""

import socket

# The system may pick one again before anybody has bound it.
_given: set[int] = set()


def free_port(host: str = "127.0.0.1", preferred: int = 0) -> int:
    """`preferred` if it can be bound now, else one that the system picks and nobody in this process was given."""
    if preferred and is_free(host, preferred):
        return preferred
    while True:
        with socket.socket() as probe:
            probe.bind((host, 0))
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


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
