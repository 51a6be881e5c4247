"""Variables from files: as Docker and Kubernetes put them there, and as people spoil them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.doctor.environment import check_environment
from deploy.doctor.keys import check_signing_secret
from deploy.doctor.verdict import Status
from deploy.errors import explain
from ingest.settings import IngestSettings
from schema.ops.settings import DatabaseSettings, read_settings
from schema.ops.variables import VariableError, find_variable, read_environment
from tests.factories import ingest_environment
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from pathlib import Path

URL = "postgresql://worker:hunter2@db.internal/clerkwork"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that CLERKWORK_SECRETS_DIR names, still empty."""
    place = tmp_path / "secrets"
    place.mkdir()
    monkeypatch.setenv("CLERKWORK_SECRETS_DIR", str(place))
    return place


def _database_url() -> str:
    return read_settings(DatabaseSettings).database_url.get_secret_value()


def _refusal() -> str:
    with pytest.raises(SystemExit) as stop:
        read_settings(DatabaseSettings)
    return str(stop.value)


@pytest.mark.parametrize("name", ["DATABASE_URL", "database_url"])
def test_a_file_is_the_variable_it_is_named_as(directory: Path, name: str) -> None:
    """Without the newline that editors end it with, and whichever case Compose's secrets have."""
    (directory / name).write_text(f"{URL}\n")

    assert _database_url() == URL
    assert find_variable("DATABASE_URL") == URL


def test_the_links_of_kubernetes_are_followed(directory: Path) -> None:
    """Each name leads through `..data`, which is swapped when the secret changes."""
    for revision in ("..2026_01", "..2026_02"):
        (directory / revision).mkdir()
        (directory / revision / "DATABASE_URL").write_text(f"{URL}?application_name={revision}")
    (directory / "..data").symlink_to("..2026_01")
    (directory / "DATABASE_URL").symlink_to("..data/DATABASE_URL")
    before = _database_url()
    (directory / "..next").symlink_to("..2026_02")
    (directory / "..next").rename(directory / "..data")

    assert before.endswith("..2026_01")
    assert _database_url().endswith("..2026_02")


def test_the_environment_wins(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also over a file that is no good; and what is empty there is not set."""
    (directory / "DATABASE_URL").mkdir()
    monkeypatch.setenv("DATABASE_URL", URL)
    mine = _database_url()
    (directory / "LOG_LEVEL").write_text("DEBUG")
    (directory / "REDIS_URL").write_text("redis://file")
    monkeypatch.setenv("REDIS_URL", "")

    assert mine == URL
    assert find_variable("REDIS_URL") == "redis://file"
    assert read_settings(DatabaseSettings).log_level == "DEBUG"


def test_every_setting_can_be_in_a_file(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of several values, and those of several lines, too."""
    for name, value in ingest_environment().items():
        (directory / name).write_text(f"{value}\n")
    secret = ingest_environment()["CLERK_WEBHOOK_SIGNING_SECRET"]
    (directory / "CLERK_WEBHOOK_SIGNING_SECRET").write_text(f"{secret},{secret}\n")
    monkeypatch.setenv("INGEST_PORT", "0")

    assert len(read_settings(IngestSettings).clerk_webhook_signing_secret) == 2


def test_a_directory_that_is_missing_stops_the_start(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume that was not mounted is named, not the twenty variables that it should have had."""
    directory.rmdir()
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")
    with pytest.raises(SystemExit) as stop:
        read_settings(WorkerSettings)

    assert str(stop.value).splitlines()[1:] == [
        "  CLERKWORK_SECRETS_DIR: no such directory (FileNotFoundError)"
    ]


def test_a_file_that_cannot_be_a_variable_stops_the_start(directory: Path, tmp_path: Path) -> None:
    """Whatever is wrong with it is said by the variable's name, and nothing of what is in it."""
    file = directory / "DATABASE_URL"
    outside = tmp_path / "outside"
    outside.write_text(URL)
    told = []
    for spoil in (
        lambda: file.write_text(" \n"),
        lambda: file.write_bytes(b"hunter2\xff"),
        lambda: file.write_text("hunter2" * 10_000),
        lambda: file.symlink_to(outside),
        lambda: file.symlink_to("nowhere"),
        lambda: file.symlink_to("DATABASE_URL"),
        lambda: file.write_text("hunter2"),
    ):
        file.unlink(missing_ok=True)
        spoil()
        told.append(_refusal().splitlines()[1].strip())
    file.unlink()
    file.mkdir()
    told.append(_refusal().splitlines()[1].strip())

    assert told == [
        "DATABASE_URL: its file is empty",
        "DATABASE_URL: its file cannot be read (UnicodeDecodeError)",
        "DATABASE_URL: its file is too large",
        "DATABASE_URL: its file is a link that leads out of the directory",
        "DATABASE_URL: its file cannot be read (FileNotFoundError)",
        "DATABASE_URL: its file cannot be read (RuntimeError)",
        "DATABASE_URL: Value error, must be a postgresql:// URL",
        "DATABASE_URL: its file is none",
    ]


async def test_the_doctor_sees_them_too(directory: Path) -> None:
    """A variable of a file is set, one of a bad file is wrong, and the console says so in words."""
    for name, value in ingest_environment().items():
        (directory / name).write_text(value)
    fine = [await check_environment(IngestSettings), await check_signing_secret()]
    (directory / "CLERK_WEBHOOK_SIGNING_SECRET").write_text("")
    wrong = await check_environment(IngestSettings)
    with pytest.raises(VariableError) as refused:
        await check_signing_secret()

    assert {each.status for each in fine} == {Status.OK}
    assert wrong.status is Status.WRONG
    assert "CLERK_WEBHOOK_SIGNING_SECRET: its file is empty" in wrong.found
    assert explain(refused.value) == "CLERK_WEBHOOK_SIGNING_SECRET: its file is empty."


def test_processes_that_are_started_inherit_what_files_say(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up` decides what each of its processes gets to see, so it reads files for them."""
    (directory / "DATABASE_URL").write_text(URL)
    (directory / "LOG_LEVEL").write_text("DEBUG")
    (directory / "ca.crt").write_text("no variable")
    (directory / "kafka").mkdir()
    monkeypatch.setenv("LOG_LEVEL", "INFO")
    found = read_environment()

    assert (found["DATABASE_URL"], found["LOG_LEVEL"]) == (URL, "INFO")
    assert not {"CLERKWORK_SECRETS_DIR", "ca.crt", "CA.CRT", "KAFKA"} & found.keys()
