"""A name server that answers late, and a stack that has no other: for the hosts of webhooks that an attacker makes.

The stack gets a view of the files of its own, in which `/etc/resolv.conf` names a server on loopback. That takes root
on Linux; elsewhere this attack is left out.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread, Timer

from tests.support.stacks import UP

LATE_SECONDS = 4.0
# A file of resolvers has no place for a port.
_ADDRESS, _PORT = "127.53.53.53", 53
_IN_A_VIEW_OF_ITS_OWN = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"')


def are_possible() -> bool:
    """Whether a process can have such a view here."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare"):
        return False
    trial = [*_IN_A_VIEW_OF_ITS_OWN, "/etc/hosts", "true"]
    return subprocess.run(trial, capture_output=True, check=False, timeout=10).returncode == 0


@contextmanager
def late_names(folder: Path) -> Iterator[tuple[str, ...]]:
    """The command of a stack for which every name comes late, while the block is entered."""
    resolvers = folder / "resolv.conf"
    resolvers.write_text(f"nameserver {_ADDRESS}\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((_ADDRESS, _PORT))
        Thread(target=_answer_late, args=(server,), daemon=True).start()
        yield (*_IN_A_VIEW_OF_ITS_OWN, str(resolvers), *UP)


def _answer_late(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            asked, asker = server.recvfrom(512)
            late = Timer(LATE_SECONDS, _send, (server, nothing_known(asked), asker))
            late.daemon = True
            late.start()


def nothing_known(asked: bytes) -> bytes:
    """The answer that there is no such name: the same question, with the flags of an answer and code 3."""
    return asked[:2] + b"\x81\x83" + asked[4:6] + bytes(6) + asked[12:]


def _send(server: socket.socket, answer: bytes, asker: tuple[str, int]) -> None:
    with suppress(OSError):
        server.sendto(answer, asker)
