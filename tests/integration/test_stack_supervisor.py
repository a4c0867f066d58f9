"""A process that dies is started again, and none outlives its supervisor."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pulse_ops.stack import probes
from pulse_ops.stack.child import Child, Program
from pulse_ops.stack.errors import StackError
from pulse_ops.stack.supervisor import Stopped, Supervisor
from tests.support.processes import wait_until

SUPERVISE = """
import sys, time
from pathlib import Path
from pulse_ops.stack import probes
from pulse_ops.stack.child import Child, Program

folder = Path(sys.argv[1])
child = Child(Program("sleeper", ("sleep", "60"), probes.always), folder / "sleeper.log")
child.start()
(folder / "pid").write_text(str(child.pid))
time.sleep(60)
"""


def python(name: str, code: str, **options: object) -> Program:
    return Program(name, (sys.executable, "-c", code), probes.always, environment=os.environ, **options)


def test_a_process_that_keeps_dying_is_started_again_after_growing_pauses(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(tmp_path, said.append)
    supervisor.start([python("steady", "import time; time.sleep(60)")], patience=10)
    supervisor.supervised[0].child.process.kill()

    def count_turns() -> None:
        if supervisor.supervised[0].restarts < 2:
            supervisor.supervised[0].child.process.kill()
        else:
            supervisor.ask_to_stop()

    supervisor.run(changed=count_turns)
    supervisor.stop(servers=0)
    assert ["now" in line or "in 1 s" in line for line in said] == [True, True]
    assert all("steady was ended by SIGKILL; starting it again" in line for line in said)


def test_a_process_that_does_not_start_is_named_with_its_last_error(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, print)
    never_ready = Program(
        "broken", (sys.executable, "-c", "raise RuntimeError('no key')"), lambda _pid: False, environment=os.environ
    )
    with pytest.raises(StackError, match=r"broken did not start .*exit code 1.*RuntimeError: no key"):
        supervisor.start([never_ready], patience=10)


def test_a_process_that_is_never_ready_ends_the_start(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, print)
    deaf = Program("deaf", ("sleep", "60"), lambda _pid: False, environment=os.environ)
    with pytest.raises(StackError, match="deaf was not ready after"):
        supervisor.start([deaf], patience=0.2)
    supervisor.stop(servers=0)


def test_a_request_to_stop_ends_a_start_that_takes_long(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, print)
    supervisor.ask_to_stop()
    with pytest.raises(Stopped):
        supervisor.start([Program("slow", ("sleep", "60"), lambda _pid: False, environment=os.environ)], patience=60)
    supervisor.stop(servers=0)


def test_servers_end_after_the_processes_that_need_them(tmp_path: Path) -> None:
    started = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print(time.time(), flush=True)))
print("up", flush=True)
time.sleep(60)
"""
    supervisor = Supervisor(tmp_path, print)
    supervisor.start([python("server", started), python("client", started)], patience=10)
    for name in ("server", "client"):
        wait_until(lambda name=name: "up" in (tmp_path / f"{name}.log").read_text())
    supervisor.stop(servers=1)
    ended = {name: float((tmp_path / f"{name}.log").read_text().split()[-1]) for name in ("server", "client")}
    assert ended["client"] < ended["server"]


def test_killing_a_process_ends_what_it_had_started(tmp_path: Path) -> None:
    code = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
    child = Child(python("parent", code), tmp_path / "log")
    child.start()
    wait_until(lambda: child.log_tail().strip().isdigit())
    grandchild = psutil.Process(int(child.log_tail()))
    child.kill()
    wait_until(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)


def test_a_supervisor_that_is_killed_takes_its_processes_with_it(tmp_path: Path) -> None:
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISE, str(tmp_path)])
    wait_until((tmp_path / "pid").exists)
    wait_until(lambda: (tmp_path / "pid").read_text())
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    wait_until(lambda: child.name() == "sleep")
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait(5)
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
