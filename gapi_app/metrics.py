"""What the gateway counts beside its requests."""

from api_contract.metrics import Process, gauge, histogram

BY = [Process.GAPI]

STREAMS = gauge("gapi_streams", "Open event streams.", by=BY)
STREAM_LAG = histogram(
    "gapi_stream_lag_seconds",
    "Time from an event until the gateway has it for the open streams of its account.",
    by=BY,
    buckets=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
CLOCK_AHEAD = gauge(
    "gapi_clock_ahead_seconds",
    "How far the machine's clock is ahead of pulse's; 0 while pulse has not told it.",
    by=BY,
    mode="livemostrecent",
)
CELL_UP = gauge(
    "gapi_cell_up",
    "Whether the gateway's latest look for revocations in the cell was answered.",
    "cell",
    by=BY,
    mode="livemostrecent",
)
LIMITS_ALONE = gauge(
    "gapi_limits_alone",
    "1 while this gateway counts requests by itself, as the Redis of the limits is away; else 0.",
    by=BY,
    mode="livemax",
)
