"""What `deploy/run` decides before anything is installed."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from deploy.environment import (
    BENCH,
    EXTENTS,
    STACK,
    TEST,
    Environment,
    EnvironmentRefusedError,
    Extent,
    extent_for,
    incomplete_python,
)
from deploy.installer import bundled_pips, pip_options, uv_environment
from deploy.trouble import OFFLINE, TROUBLES, explain, is_offline

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
RUN = ROOT / "deploy/run"

PYPROJECT = """\
[build-system]
requires = []
[project]
name = "clerkwork"
[tool.hatch]
"""


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A project with locks and an interpreter, but no stamp."""
    project = Environment(root=tmp_path)
    for extent in EXTENTS:
        (tmp_path / extent.lock).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / extent.lock).write_text(extent.name)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    project.python.parent.mkdir(parents=True)
    project.python.symlink_to(sys.executable)
    return project


@pytest.mark.parametrize("version", [(3, 4), (3, 6), (3, 10)])
def test_old_pythons_parse_it(version: tuple[int, int]) -> None:
    """It has no syntax that came after Python 3.4."""
    ast.parse(RUN.read_text(), feature_version=version)


def test_old_pythons_say_what_they_need(tmp_path: Path) -> None:
    """A Python that is too old ends with one paragraph, its own version and the one needed."""
    names = ("python2.7", "python3.6", "python3.7", "python3.8", "python3.9", "python3.10")
    found = [path for name in names if (path := shutil.which(name))]
    pythons = [path for path in found if run_it([path, "-c", ""], **os.environ).returncode == 0]
    if not pythons:
        pytest.skip("there is no old Python here")

    for python in pythons:
        ended = run_it([python, RUN], PATH=str(tmp_path))

        assert ended.returncode == 1
        assert "needs Python 3.11 or newer; this is Python " in ended.stderr
        assert "Traceback" not in ended.stderr


def test_too_old_without_a_newer_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message is the same where only the version is old."""
    run = load_run()
    monkeypatch.setattr(sys, "version_info", (3, 8, 1))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SystemExit, match=r"^clerkwork needs Python 3\.11 or newer"):
        run.main()


def test_a_newer_python_on_the_path_takes_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An old Python hands over to a newer one; a version manager's empty shim is none."""
    run = load_run()
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    (tmp_path / "python3.12").symlink_to(sys.executable)
    executed: list[object] = []

    def execv(*call: object) -> None:
        executed.extend(call)
        raise SystemExit

    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.setattr(sys, "version_info", (3, 8, 1))
    monkeypatch.setattr(sys, "argv", ["deploy/run", "demo"])
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SystemExit):
        run.main()

    newer = str(tmp_path / "python3.12")
    assert executed == [newer, [newer, "deploy/run", "demo"]]


def test_needs_nothing_installed() -> None:
    """All that runs before the installation imports with the standard library alone."""
    modules = "deploy.environment, deploy.installer, deploy.trouble"
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {modules}"

    assert run_it([sys.executable, "-I", "-S", "-c", code]).stderr == ""


def test_without_a_stamp_nothing_is_installed(environment: Environment) -> None:
    """An environment whose installation was interrupted counts as missing."""
    assert not environment.has(STACK)


@pytest.mark.parametrize(
    ("installed", "wanted", "enough"),
    [
        (STACK, STACK, True),
        (TEST, TEST, True),
        (TEST, STACK, True),
        (STACK, TEST, False),
        (BENCH, STACK, True),
        (BENCH, TEST, True),
        (BENCH, BENCH, True),
        (TEST, BENCH, False),
    ],
)
def test_test_lock_satisfies_stack_lock(
    environment: Environment, installed: Extent, wanted: Extent, *, enough: bool
) -> None:
    """Whoever has the test tools has the stack, not the other way round."""
    environment.stamp.write_text(environment.stamp_for(installed))

    assert environment.has(wanted) is enough


@pytest.mark.parametrize(
    ("arguments", "extent"),
    [
        ([], STACK),
        (["up"], STACK),
        (["demo", "bench"], STACK),
        (["test"], TEST),
        (["bench"], BENCH),
    ],
)
def test_commands_get_what_they_need(arguments: list[str], extent: Extent) -> None:
    """Who only runs clerkwork installs no linters, and who tests it draws no plots."""
    assert extent_for(arguments) is extent


@pytest.mark.parametrize(("less", "more"), [(STACK, TEST), (TEST, BENCH)])
def test_each_lock_has_all_of_the_one_before_it(less: Extent, more: Extent) -> None:
    """Whoever gets more tools gets no other versions of what is there already."""
    versions = [
        {
            line.split(" ")[0]
            for line in (ROOT / extent.lock).read_text().splitlines()
            if "==" in line
        }
        for extent in (less, more)
    ]

    assert versions[0] - versions[1] == set()


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / STACK.lock).write_text("newer"),
        lambda root: (root / "pyproject.toml").write_text(PYPROJECT + "packages = []"),
        lambda root: (root / ".venv/bin/python").unlink(),
    ],
    ids=["lock", "packages", "interpreter"],
)
def test_stale(environment: Environment, change: Callable[[Path], object]) -> None:
    """A change of the lock, of what is packaged or of Python makes it stale."""
    environment.stamp.write_text(environment.stamp_for(STACK))
    assert environment.has(STACK)

    change(environment.root)

    assert not environment.has(STACK)


def test_a_moved_project_is_stale(environment: Environment, tmp_path: Path) -> None:
    """Scripts of an environment contain its path, so a copy elsewhere is made anew."""
    environment.stamp.write_text(environment.stamp_for(STACK))
    moved = tmp_path.rename(tmp_path.with_name("moved"))

    assert not Environment(root=moved).has(STACK)


def test_changes_elsewhere_do_not_make_it_stale(environment: Environment) -> None:
    """Editing the linter's settings does not cost an installation."""
    environment.stamp.write_text(environment.stamp_for(STACK))
    with (environment.root / "pyproject.toml").open("a") as pyproject:
        pyproject.write("[tool.ruff]\nline-length = 1\n")

    assert environment.has(STACK)


def test_too_small_a_disk(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is fetched, it says how much is needed and how much there is."""
    shutil.rmtree(environment.directory)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=99 << 20))

    with pytest.raises(EnvironmentRefusedError, match=r"needs about \d+ MB .* and 99 MB are free"):
        environment.make(STACK)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a directory that even root cannot write")
def test_a_directory_that_cannot_be_written() -> None:
    """It says where it wanted to write, and what to do."""
    environment = Environment(root=Path("/proc"))

    with pytest.raises(EnvironmentRefusedError, match=r"^/proc cannot be written .* Copy the proj"):
        environment.make(STACK)


def test_the_pip_that_came_with_python_is_found() -> None:
    """A complete Python has a wheel of pip with it."""
    assert next(bundled_pips()).name.startswith("pip-")


def test_an_incomplete_python_is_named() -> None:
    """Without venv or ensurepip it says which package of the system has them."""
    message = incomplete_python("pip")

    assert sys.executable in message
    assert f"python3.{sys.version_info[1]}-venv" in message


PIP_CONFIG = """\
:env:.index-url='https://env.example/simple'
global.cert='/etc/ours.pem'
global.extra-index-url='\\nhttps://a.example\\nhttps://b.example'
global.index-url='https://global.example/simple'
install.trusted-host='one two'
freeze.timeout='10'
"""


def test_pip_options_follow_pips_precedence() -> None:
    """Variables beat [install], which beats [global]; other commands' sections do not count."""
    options = pip_options(PIP_CONFIG)

    assert options["index-url"] == "https://env.example/simple"
    assert options["cert"] == "/etc/ours.pem"
    assert "timeout" not in options


def test_uv_is_told_what_pip_is_configured_for() -> None:
    """Index, certificates, hosts and proxy reach uv as its own variables."""
    options = pip_options(PIP_CONFIG) | {"proxy": "http://proxy.example:3128"}

    assert uv_environment(options, {}) == {
        "UV_DEFAULT_INDEX": "https://env.example/simple",
        "UV_INDEX": "https://a.example https://b.example",
        "UV_INSECURE_HOST": "one two",
        "SSL_CERT_FILE": "/etc/ours.pem",
        "ALL_PROXY": "http://proxy.example:3128",
    }


def test_uv_trusts_the_bundle_that_pip_would_trust() -> None:
    """As for pip, REQUESTS_CA_BUNDLE counts unless pip is told a certificate of its own."""
    environment = {"REQUESTS_CA_BUNDLE": "/bundle.pem"}

    assert uv_environment({}, environment) == {"SSL_CERT_FILE": "/bundle.pem"}
    assert uv_environment({"cert": "/own.pem"}, environment) == {"SSL_CERT_FILE": "/own.pem"}


RETRY = "WARNING: Retrying (Retry(total={}, connect=None)) after connection broken by '{}'\n"
NOT_FOUND = "ERROR: No matching distribution found for uv==1\n"


@pytest.mark.parametrize(
    ("log", "advice"),
    [
        (RETRY.format(0, "NewConnectionError") + NOT_FOUND, "No package index can be reached"),
        (RETRY.format(0, "ProxyError") + NOT_FOUND, "behind a proxy set HTTPS_PROXY"),
        ("cause: client error (Connect)", "No package index can be reached"),
        (RETRY.format(4, "NewConnectionError") + NOT_FOUND, "lacks a file"),
        ("SSLError: CERTIFICATE_VERIFY_FAILED", "certificate that this machine does not trust"),
        ("ERROR: OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM", "serves other files"),
        ("HTTP status client error (401 Unauthorized)", "index refuses us"),
        ("Segmentation fault", "not foreseen"),
    ],
)
def test_failures_are_explained(log: str, advice: str, tmp_path: Path) -> None:
    """Each kind of failure has its advice, with the end of the log below it."""
    explained = explain(log, tmp_path / "install.log")

    assert advice in explained
    assert log.splitlines()[-1] in explained


def test_a_connection_that_came_back_is_not_offline() -> None:
    """Only pip's last attempt says that there is no connection."""
    assert not is_offline(RETRY.format(4, "NewConnectionError"))
    assert is_offline(RETRY.format(0, "NewConnectionError"))
    assert OFFLINE in TROUBLES


def run_it(command: list[str | Path], **variables: str) -> subprocess.CompletedProcess[str]:
    """Return how the command ended, having run with these variables alone."""
    return subprocess.run(  # noqa: S603 - commands are ours
        command, env=variables, capture_output=True, text=True, check=False
    )


def load_run() -> SimpleNamespace:
    """Return the names that `deploy/run` defines."""
    names: dict[str, object] = {"__name__": "run", "__file__": str(RUN)}
    exec(compile(RUN.read_text(), RUN, "exec"), names)  # noqa: S102 - it is ours
    return SimpleNamespace(**names)
