"""deploy/Dockerfile: what it installs, what it copies and who it runs as.

There is no engine to build it with here, so this reads it instruction by instruction.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.environment import STACK
from deploy.installer import LOCKED

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES: list[str] = PROJECT["tool"]["hatch"]["build"]["packages"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One FROM and what follows it."""

    base: str
    name: str | None
    instructions: tuple[tuple[str, str], ...]

    def values(self, keyword: str) -> list[str]:
        """Return what follows each `keyword`, in order."""
        return [value for each, value in self.instructions if each == keyword]


def read_stages() -> list[Stage]:
    """Return the Dockerfile's stages, in order."""
    text = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    code = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    lines = re.sub(r"\s*\\\n\s*", " ", code).splitlines()
    instructions = [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]
    starts = [at for at, (keyword, _) in enumerate(instructions) if keyword == "FROM"]
    stages = []
    for start, end in zip(starts, [*starts[1:], len(instructions)], strict=True):
        base, _, name = instructions[start][1].partition(" AS ")
        stages.append(
            Stage(
                base=base,
                name=name or None,
                instructions=tuple((each[0], each[1]) for each in instructions[start + 1 : end]),
            )
        )
    return stages


STAGES = read_stages()
FINAL = STAGES[-1]
COPIES = [shlex.split(value) for stage in STAGES for value in stage.values("COPY")]
SOURCES = {
    source for *sources, _ in COPIES if not sources[0].startswith("--from=") for source in sources
}
"""What is copied from the project into any stage."""


def test_the_last_stage_starts_afresh() -> None:
    """What the installation left behind is in another stage, and no shell runs in the last."""
    names = [stage.name for stage in STAGES[:-1]]

    assert len(STAGES) > 1
    assert all(names)
    assert not FINAL.values("RUN")
    assert FINAL.base == STAGES[0].name
    assert not STAGES[0].instructions


def test_bases_are_pinned() -> None:
    """Every base is an earlier stage, or Python by version on a Debian by name."""
    names = {stage.name for stage in STAGES}
    bases = {stage.base for stage in STAGES} - names

    assert len(bases) == 1
    assert re.fullmatch(r"python:\d\.\d+-slim-[a-z]+", bases.pop())


def test_nobody_is_root() -> None:
    """The last USER is a number that is not 0, so a platform can check it before it starts it."""
    user, _, group = FINAL.values("USER")[-1].partition(":")

    assert int(user) > 0
    assert int(group) > 0
    assert not any("chown" in part for copy in COPIES for part in copy)


def test_processes_are_stopped_with_sigterm_and_asked_by_others() -> None:
    """SIGTERM begins the drain; which port to probe is the service's business."""
    assert FINAL.values("STOPSIGNAL") == ["SIGTERM"]
    assert FINAL.values("HEALTHCHECK") == ["NONE"]


@pytest.mark.parametrize("keyword", ["CMD", "ENTRYPOINT"])
def test_commands_need_no_shell(keyword: str) -> None:
    """The exec form: the process gets the signals, not a shell around it."""
    for value in FINAL.values(keyword):
        assert all(isinstance(part, str) for part in json.loads(value))


def test_every_package_is_copied() -> None:
    """Each of pyproject's packages lies in a directory of its own under PYTHONPATH."""
    environment = dict(
        pair.split("=", 1) for value in FINAL.values("ENV") for pair in shlex.split(value)
    )
    copied = {copy[0]: copy[1] for copy in map(shlex.split, FINAL.values("COPY")) if len(copy) == 2}

    assert {name: f"./{name}" for name in PACKAGES} == copied
    assert FINAL.values("WORKDIR") == ["/app"] == [environment["PYTHONPATH"]]
    assert environment["PATH"].startswith("/opt/venv/bin:")
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"


def test_installing_is_what_deploy_run_does() -> None:
    """The same options of pip: no requirement without its hash, none beside the lock, no builds."""
    installing = [run for stage in STAGES for run in stage.values("RUN") if " install " in run]

    assert installing == [
        f"/opt/venv/bin/python -m pip install {' '.join(LOCKED)} -r requirements.lock"
    ]
    assert "requirements.lock" in SOURCES


def test_installed_versions_are_those_of_deploy_run() -> None:
    """What is tried with `deploy/run` is what the image holds: its lock adds to the image's."""
    image, stack = (
        set(re.findall(r"^\S+==.*?(?= \\)", (ROOT / lock).read_text("utf-8"), re.MULTILINE))
        for lock in ("requirements.lock", STACK.lock)
    )

    assert image
    assert image <= stack


@pytest.mark.parametrize(
    ("command", "variable"),
    [("migrate", "DATABASE_URL"), ("topics apply", "KAFKA_BOOTSTRAP_SERVERS")],
)
def test_one_shots_need_only_what_the_image_holds(command: str, variable: str) -> None:
    """They get as far as their settings without the packages that only `clerkwork up` needs."""
    absent = [name.replace("-", "_") for name in PROJECT["dependency-groups"]["stack"]]
    start = (
        "import runpy, sys\n"
        f"sys.modules.update(dict.fromkeys({absent}))\n"  # None: cannot be imported
        f"sys.argv[1:] = {command.split()}\n"
        "runpy.run_module('deploy', run_name='__main__', alter_sys=True)\n"
    )

    ended = subprocess.run(  # noqa: S603 - the command is ours
        [sys.executable, "-c", start], cwd=ROOT, capture_output=True, check=False, text=True
    )

    assert ended.returncode != 0
    assert f"{variable}: Field required" in ended.stderr


def test_the_installed_is_what_is_run() -> None:
    """The environment is copied to the path it was made at: its scripts hold that path."""
    (copy,) = (each for each in map(shlex.split, FINAL.values("COPY")) if len(each) == 3)
    stage = next(stage for stage in STAGES if copy[0] == f"--from={stage.name}")

    assert copy[1:] == ["/opt/venv", "/opt/venv"]
    assert "python -m venv /opt/venv" in stage.values("RUN")


def test_the_context_holds_only_what_is_copied() -> None:
    """`.dockerignore` refuses everything and lets in what the Dockerfile names."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == SOURCES
    assert "**/__pycache__" in rules[rules.index("!" + PACKAGES[0]) :]
    assert all((ROOT / source).exists() for source in SOURCES)


def test_no_index_is_named() -> None:
    """Where packages and images come from is the builder's business."""
    text = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")

    assert "://" not in text
    assert "index" not in text
    assert ":latest" not in text
