"""`/metrics` of a worker and of beat, on a port of their own."""

import errno
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, start_http_server

from api_contract.log import get_logger
from api_contract.metrics import Collect, Process, counter, registry
from pulse_core.config import settings
from pulse_core.metrics import switch

log = get_logger(__name__)

TICKS = counter("pulse_ticks_sent", "Ticks of a sweep that beat has sent to the queue.", "sweep", by=[Process.BEAT])


def serve(kind: Process, looked_up: Iterable[Collect] = ()) -> str | None:
    """Count from now on and serve it; returns the URL, None where the settings give no port.

    A port that is taken, by another worker of this host, does not keep a worker from its work: another one is told.
    """
    config = settings()
    if not config.metrics_port:
        return None
    switch.turn_on()
    served = registry(kind, looked_up)
    try:
        port = _listen(config.metrics_host, config.metrics_port, served)
    except OSError as error:
        log.error("metrics not served", host=config.metrics_host, port=config.metrics_port, reason=str(error))
        return None
    host = f"[{config.metrics_host}]" if ":" in config.metrics_host else config.metrics_host
    url = f"http://{host}:{port}/metrics"
    log.info("metrics served", url=url)
    return url


def _listen(host: str, port: int, served: CollectorRegistry) -> int:
    try:
        server, _ = start_http_server(port, host, served)
    except OSError as taken:
        if taken.errno != errno.EADDRINUSE:
            raise
        server, _ = start_http_server(0, host, served)
        log.warning("metrics port is taken", host=host, port=port, serves_on=server.server_port)
    return int(server.server_port)
