"""A host of its own at the end of a cable that loses, holds back or cuts what passes.

The host is a network namespace, the cable this process between two Ethernet devices. It carries frames, not
connections: what the kernels do about a bad line (retransmit, reset, give up) is what they do on a real one, which a
proxy would hide. Namespace and devices go with this process, and it goes with its stdin: nothing is left by a crash.
"""

import ctypes
import fcntl
import heapq
import json
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

READY = "ready\n"
STDIN = 0
_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _TAP_WITHOUT_HEADER = 0x400454CA, 0x1002
_LONGEST_FRAME = 65_536
_IPV4, _TCP = b"\x08\x00", 6


@dataclass(frozen=True)
class Weather:
    """What becomes of frames to and from the host, of one server's port or of all: loss is 0 to 1, delay seconds."""

    loss_to: float = 0.0
    loss_from: float = 0.0
    delay: float = 0.0
    port: int | None = None

    def strikes(self, frame: bytes) -> bool:
        return self.port is None or self.port in ports_of(frame)


@dataclass
class Cable:
    """Carries frames between the descriptors of two devices, `near` and `far`, until stdin ends."""

    near: int
    far: int
    weather: Sequence[Weather] = ()
    _random: Random = field(default_factory=lambda: Random(1))
    # When each frame is due, its number, to which device it goes.
    _held: list[tuple[float, int, int, bytes]] = field(default_factory=list)
    _taken: int = 0
    _orders: bytes = b""

    def carry(self) -> None:
        while True:
            readable, _, _ = select.select([self.near, self.far, STDIN], [], [], self._seconds_to_next())
            if STDIN in readable and not self._listen():
                return
            for device in (self.near, self.far):
                if device in readable:
                    self._take(device)
            self._release()

    def _listen(self) -> bool:
        """Take the weather from the last whole line; False at the end of stdin."""
        said = os.read(STDIN, _LONGEST_FRAME)
        *lines, self._orders = (self._orders + said).split(b"\n")
        if lines:
            self.weather = [Weather(**one) for one in json.loads(lines[-1])]
        return bool(said)

    def _take(self, device: int) -> None:
        frame = os.read(device, _LONGEST_FRAME)
        met = [one for one in self.weather if one.strikes(frame)]
        losses = [one.loss_to if device == self.near else one.loss_from for one in met]
        if any(self._random.random() < loss for loss in losses):
            return
        self._taken += 1
        due_at = time.monotonic() + sum(one.delay for one in met)
        heapq.heappush(self._held, (due_at, self._taken, self.far if device == self.near else self.near, frame))

    def _release(self) -> None:
        while self._held and self._held[0][0] <= time.monotonic():
            _, _, device, frame = heapq.heappop(self._held)
            # The device of a host that just came down takes nothing, as a cable that nobody listens to.
            with suppress(OSError):
                os.write(device, frame)

    def _seconds_to_next(self) -> float | None:
        return max(self._held[0][0] - time.monotonic(), 0) if self._held else None


def ports_of(frame: bytes) -> tuple[int, ...]:
    """The TCP ports, source and destination, of an Ethernet frame; none where it is something else."""
    if frame[12:14] != _IPV4 or frame[23] != _TCP:
        return ()
    start = 14 + (frame[14] & 15) * 4
    return struct.unpack("!HH", frame[start : start + 4])


def main(name: str, near_address: str, far_address: str) -> None:
    """Lay the cable: `near_address` is on a device `name` of this machine, `far_address` on the host's."""
    near = _device(name, near_address)
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace can be made")
    _ip("link", "set", "lo", "up")
    far = _device("eth0", far_address)
    sys.stdout.write(READY)
    sys.stdout.flush()
    Cable(near, far).carry()


def _device(name: str, address: str) -> int:
    """An Ethernet device whose frames this process reads and writes; it is gone when the descriptor is closed."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _TAP_WITHOUT_HEADER))
    _ip("address", "add", f"{address}/30", "dev", name)
    _ip("link", "set", name, "up")
    return device


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
