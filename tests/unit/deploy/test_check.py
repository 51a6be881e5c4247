"""What `clerkwork test` runs, and what it says."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from deploy import console
from deploy.check import CHAOS, check
from deploy.terminal import open_console

if TYPE_CHECKING:
    from collections.abc import Mapping


class Tools:
    """Stands for all that `check` runs: each says its name and ends as it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **codes: int) -> None:
        self.codes = codes
        self.checks: list[str] = []
        self.tests: list[list[str]] = []
        self.environments: list[Mapping[str, str]] = []
        monkeypatch.setattr(subprocess, "run", self._run)
        monkeypatch.setattr(subprocess, "call", self._call)

    def _run(
        self, command: list[str], *, env: Mapping[str, str], **_: object
    ) -> subprocess.CompletedProcess[str]:
        self.environments.append(env)
        self.checks.append(command[2])
        code = self.codes.get(command[2], 0)
        return subprocess.CompletedProcess(command, code, stdout=f"{command[2]} [says]\n")

    def _call(self, command: list[str], *, env: Mapping[str, str], **_: object) -> int:
        self.environments.append(env)
        self.tests.append(command[2:])
        return self.codes.get("chaos" if command[-1] == CHAOS else "pytest", 0)


def test_the_last_word_is_pytests(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every check runs; one that fails makes the whole fail, also where the tests pass."""
    tools = Tools(monkeypatch, mypy=1)

    assert check((), open_console()) == 1
    assert sorted(tools.checks) == ["basedpyright", "mypy", "ruff", "ruff"]
    assert len(tools.tests) == 2
    said = capsys.readouterr().out
    assert "$ mypy\nmypy [says]\n$ basedpyright\nbasedpyright [says]\nfailed: mypy\n" in said


@pytest.mark.parametrize("codes", [{"pytest": 3}, {"chaos": 3}, {"pytest": 3, "chaos": 1}])
def test_all_tests_run_and_the_first_failure_is_told(
    monkeypatch: pytest.MonkeyPatch, codes: dict[str, int]
) -> None:
    """Whichever half fails, and whatever a linter says."""
    tools = Tools(monkeypatch, ruff=1, **codes)

    assert check((), open_console()) == 3
    assert len(tools.tests) == 2


def test_who_interrupts_the_tests_has_them_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other half is not begun."""
    tools = Tools(monkeypatch, pytest=2)

    assert check((), open_console()) == 2
    assert len(tools.tests) == 1


def test_where_all_is_well_the_exit_code_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the checks and the tests alike."""
    Tools(monkeypatch)

    assert (check((), open_console()), check(("-x",), open_console())) == (0, 0)


def test_what_python_compiles_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says: hundreds of processes would compile everything anew."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("SOMETHING", "else")
    tools = Tools(monkeypatch)
    check((), open_console())

    assert len(tools.environments) == 6
    assert {each.get("PYTHONDONTWRITEBYTECODE") for each in tools.environments} == {None}
    assert {each.get("SOMETHING") for each in tools.environments} == {"else"}


def test_with_arguments_only_pytest_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are pytest's own, options included, and so is the exit code."""
    tools = Tools(monkeypatch, pytest=5)

    with pytest.raises(SystemExit) as ended:
        console.app(["test", "tests/unit", "-x", "-k", "token"])

    assert ended.value.code == 5
    assert (tools.checks, tools.tests) == ([], [["pytest", "tests/unit", "-x", "-k", "token"]])
