"""An embedded Postgres: loopback only, scram passwords, data checksums, never run as root."""

import os
import pwd
import signal
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2 import sql

from pulse_ops.stack import binaries, leftovers
from pulse_ops.stack.child import OsUser, Program
from pulse_ops.stack.errors import StackError
from pulse_ops.stack.files import kept_secret, write_private
from pulse_ops.stack.handed_on import handed_on
from pulse_ops.stack.ports import free_port

# Owns the database and migrates it; the services come as the other.
_SUPERUSER, _SERVICES = "pulse", "pulse_run"
_INITDB = (
    f"--username={_SUPERUSER}",
    "--auth=scram-sha-256",
    "--data-checksums",
    "--encoding=UTF8",
    "--no-locale",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may be too long for the system
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}


class EmbeddedPostgres:
    """One server with everything it owns in `folder`; `port` is chosen when it is 0.

    `settings` are added to the server's. Started by root, it runs as an unprivileged user.
    """

    def __init__(self, folder: Path, port: int = 0, settings: Mapping[str, str] | None = None) -> None:
        self._folder = folder.resolve()
        self._data = self._folder / "data"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._password = kept_secret(self._folder / "password")
        self._services_password = kept_secret(self._folder / "services_password")
        self._user = _unprivileged_user(self._folder)
        self._settings = {**_SETTINGS, **(settings or {})}
        self._descriptor: int | None = None
        self.port = port or free_port()

    def url(self, database: str = "pulse") -> str:
        return f"postgresql://{_SUPERUSER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def services_url(self, database: str = "pulse") -> str:
        """For the role that reads and writes rows and does nothing else; `let_services_in` makes it."""
        return f"postgresql://{_SERVICES}:{self._services_password}@127.0.0.1:{self.port}/{database}"

    def program(self) -> Program:
        settings = (part for name, value in self._settings.items() for part in ("-c", f"{name}={value}"))
        data = f"{self._reachable_folder()}/data"
        return Program(
            name="postgres",
            command=(str(self._bin() / "postgres"), "-D", data, "-p", str(self.port), *settings),
            environment=self._environment(),
            is_ready=self._is_ready,
            stop_signal=signal.SIGINT,  # Postgres: fast shutdown
            user=self._user,
            folder=Path("/"),
            keep_open=self._keep_open(),
            prepare=self._prepare,
        )

    def create_database(self, name: str = "pulse") -> None:
        """Make the database unless it is there; the server must run."""
        with closing(psycopg2.connect(self.url("postgres"), connect_timeout=10)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT FROM pg_database WHERE datname = %s", (name,))
                if cursor.rowcount == 0:
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _prepare(self) -> None:
        if not (self._data / "PG_VERSION").exists():
            self._make_cluster()
            return
        # At once; it recovers at its start. What asks for an orderly end makes the checkpointer, which is found too,
        # write a last checkpoint while others still write: transactions that failed would come back as done.
        leftovers.end_servers_in(self._data, "postgres", signal.SIGQUIT)
        # Nothing runs here any more. Postgres would refuse to start if another process had got the old id.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _make_cluster(self) -> None:
        half_made, password = self._folder / "data.new", self._folder / "password.new"
        _remove_tree(half_made)
        write_private(password, self._password)
        self._give_away(password)
        folder = self._reachable_folder()
        # A server that never waits for the disk needs no cluster that was waited for.
        options = [*_INITDB, *(["--no-sync"] if self._settings.get("fsync") == "off" else [])]
        command = [str(self._bin() / "initdb"), *options, f"--pwfile={folder}/password.new", "-D", f"{folder}/data.new"]
        made = self._run(command)
        password.unlink()
        if made.returncode != 0:
            raise StackError(_why_initdb_failed(made.stdout, self._folder))
        half_made.rename(self._data)

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        as_user = {} if self._user.uid < 0 else {"user": self._user.uid, "group": self._user.gid, "extra_groups": ()}
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd="/",
            env=self._environment(),
            pass_fds=self._keep_open(),
            **as_user,
        )

    def _bin(self) -> Path:
        if self._user.uid < 0:
            return binaries.postgres_bin()
        return binaries.postgres_bin_open_to_all()

    def _reachable_folder(self) -> str:
        """A path to our folder that the server's user can walk.

        Parents that only root may enter keep their modes: an open descriptor leads past them.
        """
        if self._user.uid < 0 or binaries.is_open_to_all(self._folder.parent):
            return str(self._folder)
        if self._descriptor is None:
            self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        return f"/proc/self/fd/{self._descriptor}"

    def _keep_open(self) -> tuple[int, ...]:
        self._reachable_folder()
        return () if self._descriptor is None else (self._descriptor,)

    def _give_away(self, path: Path) -> None:
        if self._user.uid >= 0:
            os.chown(path, self._user.uid, self._user.gid)

    def _environment(self) -> dict[str, str]:
        # PGDATA, PGPORT and their like, set for other servers, must not reach this one.
        kept = {name: value for name, value in handed_on("postgres", os.environ).items() if not name.startswith("PG")}
        return {**kept, "LC_ALL": "C", "TZ": "UTC"}

    def _is_ready(self, _pid: int) -> bool:
        try:
            psycopg2.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True


def _unprivileged_user(folder: Path) -> OsUser:
    if os.geteuid() != 0:
        folder.chmod(0o700)
        return OsUser()
    owner = folder.stat()
    user = OsUser(owner.st_uid, owner.st_gid) if owner.st_uid else _nobody()
    os.chown(folder, user.uid, user.gid)
    folder.chmod(0o700)
    return user


def _nobody() -> OsUser:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return OsUser(65534, 65534)
    return OsUser(entry.pw_uid, entry.pw_gid)


def _remove_tree(folder: Path) -> None:
    if folder.exists():
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        folder.rmdir()


def _why_initdb_failed(output: str, folder: Path) -> str:
    reason = next((line for line in output.splitlines() if "error" in line.lower() or "FATAL" in line), output[-300:])
    if "No space left" in output:
        return f"No space left on the disk of {folder}: free some, or set PULSE_DATA_DIR to another disk."
    return f"Postgres could not make its files in {folder} ({reason.strip()}): set PULSE_DATA_DIR, or DATABASE_URL."
