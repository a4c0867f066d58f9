"""The client is a distribution of its own: built, installed and used without anything else of ours."""

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import urllib3

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "pulse_client"
NEEDED = {"urllib3"}
USED = """
import sys
import pulse_client
from pulse_client import Gateway, NewOrder, NotReachable, Side, SplitConfig, is_genuine
from pulse_client.order_models import Order

ours = {"api_contract", "gapi_app", "pulse_app", "pulse_core", "pulse_ops", "pulse_tasks", "pydantic", "requests"}
assert not ours & set(sys.modules), ours & set(sys.modules)
order = NewOrder("a-key", "NSE:RELIANCE", Side.BUY, 100, SplitConfig(5, 60))
try:
    Gateway("http://127.0.0.1:9", "a token").place(order)
except NotReachable as error:
    print(pulse_client.__file__, pulse_client.__version__, error, sep="\\n")
"""


def project() -> dict[str, object]:
    return tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A copy: building leaves folders beside the source.
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(CLIENT, folder / "pulse_client", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps", "--quiet"]
    done = subprocess.run([*pip, "--wheel-dir", folder, folder / "pulse_client"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.mark.timeout(300)
def test_the_wheel_is_typed_complete_and_asks_for_one_package_of_others(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        (metadata,) = (opened.read(name).decode() for name in names if name.endswith("METADATA"))
    assert re.match(r"pulse_client-\d+\.\d+\.\d+-py3-none-any\.whl", wheel.name)
    modules = {f"pulse_client/{path.name}" for path in CLIENT.glob("*.py")}
    assert {name for name in names if name.startswith("pulse_client/")} == modules | {"pulse_client/py.typed"}
    needed = re.findall(r"^Requires-Dist: ([\w-]+)", metadata, re.MULTILINE)
    assert set(needed) == NEEDED


@pytest.mark.timeout(300)
def test_a_program_that_has_nothing_else_of_ours_uses_the_client(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "alone"], check=True)
    python = tmp_path / "alone" / "bin" / "python"
    (packages,) = (tmp_path / "alone").glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", wheel], check=True)
    # As its only dependency would be installed, without asking an index.
    (packages / "urllib3").symlink_to(Path(urllib3.__file__).parent)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([python, "-c", USED], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    where, version, error = done.stdout.splitlines()
    assert Path(where).is_relative_to(packages)
    assert version in wheel.name
    assert "No gateway can be reached" in error


def test_it_imports_what_it_asks_for_and_nothing_of_ours() -> None:
    asked = {re.split(r"[^\w-]", str(one))[0] for one in project()["dependencies"]}  # type: ignore[attr-defined]
    assert asked == NEEDED
    imported = {name for path in CLIENT.glob("*.py") for name in imports(path)}
    assert imported - sys.stdlib_module_names == NEEDED | {"pulse_client"}


def imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in found}


def test_with_everything_else_it_is_typed_too() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["options.package_data"]["pulse_client"] == "py.typed"
