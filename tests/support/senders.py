"""Requests to a broker that cannot be reached: places and cancels of the real adapter, and plain sockets beside them.

    python -m tests.support.senders --name killed --url https://10.77.0.1 --timeout 1 --count 25 --spread 2

Every connection stands when it prints "connected". A line that comes in lets the heads of the HALF requests leave. At
a second line one request of each kind is sent at each of `count` instants, and the bodies of HALF at once; a line is
printed for each that was given up. A TWIN is closed as any socket is: what the kernel does with it is what it would do
with the others.
"""

import argparse
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from api_contract.vocabulary import Side
from pulse_core.boottime import boottime
from pulse_core.brokers import transport
from pulse_core.brokers.port import BrokerError, CallLimits, Placement
from pulse_core.brokers.zerodha.broker import ZerodhaBroker
from tests.support.arrivals import HTTP

Request = Callable[[str], object]

go_half, go = threading.Event(), threading.Event()
heads_left = threading.Semaphore(0)


def place(url: str, timeout: float) -> Request:
    broker = connected(url, timeout)
    return lambda name: broker.place(Placement(name, "NSE:INFY", Side.BUY, 1), boottime() + 60)


def cancel(url: str, timeout: float) -> Request:
    return connected(url, timeout).cancel


def twin(url: str, timeout: float) -> Request:
    wire = socket.create_connection((urlsplit(url).hostname, HTTP))

    def send(name: str) -> None:
        body = f"tag={name}"
        wire.sendall(f"POST / HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        time.sleep(timeout)
        wire.close()

    return send


def connected(url: str, timeout: float) -> ZerodhaBroker:
    broker = ZerodhaBroker(
        name="zerodha", root=url, api_key="key", access_token="token", timeout=timeout, limits=CallLimits(0)
    )
    broker._client.disable_ssl = True
    broker.order_book()
    return broker


KINDS = {"PLACE": place, "CANCEL": cancel, "HALF": place, "TWIN": twin}


def send(name: str, request: Request, delay: float) -> None:
    if name.startswith("HALF"):
        go_half.wait()
    else:
        go.wait()
        time.sleep(delay)
    try:
        request(name)
        ending = "nothing raised"
    except BrokerError as error:
        ending = type(error).__name__
    say(json.dumps({"name": name, "ending": ending}))


def say(line: str) -> None:
    # In one piece, whatever the other threads say.
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def hold_bodies_back() -> None:
    """Let the heads of HALF leave, and their bodies at `go`."""
    send_data = transport._Leaving.send

    def send_head_then_wait(connection: transport._Leaving, data: bytes) -> None:
        if b"tag=HALF" in data:
            heads_left.release()
            go.wait()
        send_data(connection, data)

    transport._Leaving.send = send_head_then_wait  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser()
    for option in ("--name", "--url"):
        parser.add_argument(option, required=True)
    for option in ("--timeout", "--spread"):
        parser.add_argument(option, type=float, required=True)
    parser.add_argument("--count", type=int, required=True)
    options = parser.parse_args()
    hold_bodies_back()
    for kind, prepare in KINDS.items():
        for number in range(options.count):
            request = prepare(options.url, options.timeout)
            delay = options.spread * number / options.count
            threading.Thread(target=send, args=(f"{kind}{number}{options.name}", request, delay)).start()
    say("connected")
    sys.stdin.readline()
    go_half.set()
    for _ in range(options.count):
        heads_left.acquire()
    say("heads left")
    sys.stdin.readline()
    go.set()


if __name__ == "__main__":
    main()
