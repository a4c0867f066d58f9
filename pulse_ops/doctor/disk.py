"""Whether there is room on the disks that this machine sees."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2

from pulse_ops.doctor.findings import Finding, Trouble, fine, wrong


def has_room(folder: Path, floor_mb: int) -> Iterator[Finding]:
    """The disk of a folder; there is nothing to say about one that is not here."""
    try:
        free = shutil.disk_usage(folder).free // 2**20
    except OSError:
        return
    if free < floor_mb:
        yield wrong("disk", Trouble.DISK_NEARLY_FULL, f"{free} MB are free for {folder}, {floor_mb} are needed")
    else:
        yield fine("disk", f"{free} MB free for {folder}")


def of_postgres(cursor: Any, floor_mb: int) -> Iterator[Finding]:
    """The disk of Postgres, where it runs on this machine and our role may know where its data lie."""
    try:
        cursor.execute("SELECT current_setting('data_directory'), inet_server_addr() <<= '127.0.0.0/8'")
    except psycopg2.errors.InsufficientPrivilege:
        return
    folder, is_here = cursor.fetchone()
    # Elsewhere a folder of the same name would be another one.
    if is_here is not False:
        yield from has_room(Path(folder), floor_mb)
