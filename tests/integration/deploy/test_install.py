"""`deploy/run` from nothing to the console, with an index of one small package.

That index has no uv, so these go the long way round, through pip.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.deploy.wheels import write_wheel

ROOT = Path(__file__).parents[3]
COPIED = ("__init__.py", "run", "environment.py", "installer.py", "trouble.py", "installer.lock")

PYPROJECT = """\
[build-system]
requires = []
build-backend = "wheels"
backend-path = ["."]
[project]
name = "clerkwork"
version = "1"
[tool.hatch]
"""

CONSOLE = """\
import json, os, sys
import small
print(json.dumps([sys.argv[1:], os.getcwd(), sys.prefix]))
"""


class Project:
    """A clone of the project with a lock of one package, and the index that has it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.index = root / "index"
        self.venv = root / ".venv"
        self.said = ""
        (root / "deploy").mkdir(parents=True)
        (root / "tests" / "bench").mkdir(parents=True)
        self.index.mkdir()
        for name in COPIED:
            shutil.copy(ROOT / "deploy" / name, root / "deploy" / name)
        (root / "deploy" / "__main__.py").write_text(CONSOLE)
        (root / "pyproject.toml").write_text(PYPROJECT)
        shutil.copy(Path(__file__).with_name("wheels.py"), root)
        wheel = write_wheel(self.index, "small", {"small.py": ""})
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        for lock in ("deploy/stack.lock", "tests/test.lock", "tests/bench/bench.lock"):
            (root / lock).write_text(f"small==1 --hash=sha256:{digest}\n")

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start `deploy/run` with a pip that knows only our index."""
        pip = {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
            "PIP_CONFIG_FILE": "/dev/null",
        }
        # What a developer has on the path would hide the clone.
        ours = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.Popen(  # noqa: S603 - the command is ours
            [sys.executable, self.root / "deploy" / "run", *arguments],
            cwd=self.index,
            env=ours | pip | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        with self.start(*arguments, **variables) as running:
            out, err = running.communicate()
        return subprocess.CompletedProcess(running.args, running.returncode, out, err)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A clone in which nothing is installed."""
    return Project(tmp_path / "clone")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone in which everything is installed, for those that leave it so."""
    project = Project(tmp_path_factory.mktemp("installed") / "clone")
    ended = project.run("demo")
    assert ended.returncode == 0, ended.stderr
    project.said = ended.stderr
    return project


def test_the_console_runs_where_the_user_is(installed: Project) -> None:
    """It gets all arguments, the current directory, and the packages of the lock."""
    ended = installed.run("send", "--count", "3", "-x")

    assert json.loads(ended.stdout) == [
        ["send", "--count", "3", "-x"],
        str(installed.index),
        str(installed.venv),
    ]


def test_the_second_start_installs_nothing(installed: Project) -> None:
    """It needs no index, and says nothing."""
    ended = installed.run("demo", PIP_FIND_LINKS="/nowhere", HTTPS_PROXY="http://127.0.0.1:9")

    assert ended.returncode == 0
    assert ended.stderr == ""


def test_the_user_s_directory_hides_nothing(installed: Project) -> None:
    """A package called `deploy` in the current directory is not taken for ours."""
    (installed.index / "deploy.py").write_text("raise SystemExit('not ours')")

    assert installed.run("demo").returncode == 0


def test_progress_for_humans(installed: Project) -> None:
    """The first start says what it does in two lines; what pip says is in a file."""
    first, last = installed.said.splitlines()

    assert first.startswith("Installing into ")
    assert last.startswith("Installed in ")
    assert "small" in (installed.root / ".clerkwork" / "install.log").read_text()


def test_wrong_hashes_are_refused(project: Project) -> None:
    """A package that is not the locked one is not installed, and the message says so."""
    write_wheel(project.index, "small", {"small.py": "evil = True"})

    ended = project.run("demo")

    assert ended.returncode == 1
    assert "serves other files" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_two_starts_at_once(project: Project) -> None:
    """One installs, the other waits for it; both become the console."""
    with project.start("one") as one, project.start("two") as two:
        ends = [one.communicate(), two.communicate()]

    assert [one.returncode, two.returncode] == [0, 0]
    assert sum("Installed in" in err for _, err in ends) == 1
    assert sum("waiting" in err for _, err in ends) == 1


def test_a_killed_installation_is_begun_anew(project: Project) -> None:
    """After SIGKILL halfway the next start comes out right."""
    with project.start("demo") as first:
        give_up = time.monotonic() + 30
        while not (project.root / ".clerkwork/install.log").exists():
            assert time.monotonic() < give_up
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        first.communicate()
    assert not (project.venv / "clerkwork.stamp").exists()

    assert project.run("demo").returncode == 0
