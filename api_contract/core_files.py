"""No image of a process's memory is left behind when it dies: keys and tokens would lie in it."""

import resource

# Too little for any file. To Linux it says as well that nothing is handed to a program that collects core files, which
# a limit of zero would not keep it from.
_BYTES = 1


def leave_none() -> None:
    """Let this process, and those that it starts, leave no core file."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    most = _BYTES if hard == resource.RLIM_INFINITY else min(_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (most, hard))
