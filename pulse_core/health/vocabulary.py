"""What kinds of processes report themselves."""

from enum import StrEnum


class ProcessKind(StrEnum):
    """What a process is for; a worker of both queues is a WORKER."""

    PULSE = "pulse"
    WORKER_SLICES = "worker-slices"
    WORKER_CONTROL = "worker-control"
    WORKER = "worker"
    BEAT = "beat"
    GAPI = "gapi"
    FLOWER = "flower"
