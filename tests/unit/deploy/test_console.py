"""The console: its commands, its manners when something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from deploy import console
from deploy.announce import DEVELOPMENT_USER, _created
from deploy.environment import ROOT
from deploy.errors import OperatorError, explain
from deploy.home import Home, find_home
from deploy.stack import Stack, StackError
from deploy.system import Wishes, describe_system
from deploy.topics import TopicError
from schema.kafka.clerk import USER, read_data, read_envelope

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.services import Service


def _run_console(*arguments: str) -> int:
    """Return the exit code of the console in this process."""
    with pytest.raises(SystemExit) as ended:
        console.app(list(arguments))
    code = ended.value.code
    return code if isinstance(code, int) else 1


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever starts it without knowing it sees what there is."""
    assert _run_console("--help") == 0

    listed = capsys.readouterr().out
    for name in (
        "up",
        "demo",
        "send",
        "token",
        "ingest",
        "worker",
        "relay",
        "api",
        "connect",
        "doctor",
        "migrate",
        "maintain",
        "restore",
        "erase",
        "rebuild",
        "backfill",
        "contracts",
        "dlq",
        "trace",
        "test",
        "bench",
    ):
        assert f" {name} " in listed


def test_help_does_not_wait_for_the_heavy_libraries() -> None:
    """Kafka's client, SQLAlchemy and svix are imported by the commands that need them."""
    heavy = "{'aiokafka', 'sqlalchemy', 'svix', 'aiohttp', 'pydantic'}"
    code = f"import sys, deploy.console; print({heavy} & set(sys.modules))"

    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    "error", [OperatorError("because"), StackError("because"), TopicError("because")]
)
def test_what_was_foreseen_is_said_in_words(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, with exit code 1 and without a traceback."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(console, "app", fail)
    with pytest.raises(SystemExit) as ended:
        console.main()

    assert ended.value.code == 1
    assert capsys.readouterr() == ("", "because\n")


def test_what_nobody_foresaw_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug is to be reported, so it must be seen."""

    def fail() -> None:
        raise KeyError

    monkeypatch.setattr(console, "app", fail)
    with pytest.raises(KeyError):
        console.main()


def test_a_group_of_foreseen_errors_is_foreseen() -> None:
    """Tasks that fail together arrive as a group; one bug among them makes it a bug."""
    group = ExceptionGroup("", [OperatorError("one"), ExceptionGroup("", [StackError("two")])])

    assert explain(group) == "one\ntwo"
    assert explain(ExceptionGroup("", [OperatorError("one"), KeyError()])) is None


@pytest.mark.parametrize(
    ("arguments", "variable"),
    [
        (("migrate",), "DATABASE_URL"),
        (("maintain",), "DATABASE_URL"),
        (("restore", "user_1"), "DATABASE_URL"),
        (("erase", "user_1"), "KAFKA_BOOTSTRAP_SERVERS"),
        (("rebuild",), "KAFKA_BOOTSTRAP_SERVERS"),
        (("backfill",), "CLERK_SECRET_KEY"),
        (("backfill", "--dry-run", "--only", "users"), "KAFKA_BOOTSTRAP_SERVERS"),
        (("migrate", "--rehearse"), "DATABASE_URL"),
        (("topics", "diff"), "KAFKA_BOOTSTRAP_SERVERS"),
    ],
)
def test_a_missing_setting_is_named(arguments: tuple[str, ...], variable: str) -> None:
    """Before anything is tried."""
    with pytest.raises(SystemExit, match=variable):
        console.app(list(arguments))


def test_the_help_of_a_rehearsal_says_where_personal_data_stays(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And that it is dropped."""
    assert _run_console("migrate", "--help") == 0

    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "personal data stays there; it is dropped in the end" in said


def test_a_sample_of_less_than_nothing_is_refused() -> None:
    """Before anything is tried."""
    assert _run_console("migrate", "--rehearse", "--sample", "-1") != 0


def test_a_token_is_printed_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So that `$(clerkwork token)` can stand in a command."""
    assert _run_console("token", "--data", str(tmp_path)) == 0

    token = capsys.readouterr().out
    assert (token.count("\n"), token.count(".")) == (1, 2)


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    """The second run finds what the first has made."""
    home = find_home(tmp_path / "new")
    secret, key = home.signing_secret(), home.private_key()

    assert (home.signing_secret(), home.private_key()) == (secret, key)
    assert {path.stat().st_mode & 0o777 for path in home.directory.iterdir()} == {0o600}


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """With the option that chooses another."""
    (tmp_path / "file").touch()

    with pytest.raises(OperatorError, match="--data"):
        Home(directory=tmp_path / "file").signing_secret()


def _make_stack(**changes: Any) -> Stack:
    return Stack(
        **{
            "bootstrap_servers": "kafka:9092",
            "database_url": "postgresql://u:p@db/d",
            "kafka": None,
            "postgres": None,
            **changes,
        }
    )


def _describe(tmp_path: Path, stack: Stack, **environment: str) -> dict[str, Service]:
    wishes = Wishes(data=tmp_path, environment=environment)
    return describe_system(wishes, stack=stack, logs=tmp_path / "logs").services.named


def test_each_process_is_told_its_port_and_its_servers(tmp_path: Path) -> None:
    """And they start in the order of the walk."""
    services = _describe(tmp_path, _make_stack(), PATH="/bin")

    assert list(services) == ["ingest", "worker", "relay", "api", "canary", "desk"]
    assert services["canary"].environment["CANARY_API_URL"] == services["api"].url
    assert services["ingest"].environment["INGEST_PORT"] == "8080"
    assert services["desk"].environment["DESK_TARGETS"].count("=http://") == 5
    for service in services.values():
        assert service.environment["KAFKA_BOOTSTRAP_SERVERS"] == "kafka:9092"
        assert service.environment["DATABASE_URL"] == "postgresql://u:p@db/d"
        assert service.environment["PATH"] == "/bin"


def test_a_real_clerk_is_believed_beside_us(tmp_path: Path) -> None:
    """With its secret in the environment, `up` behind a tunnel takes real webhooks."""
    services = _describe(tmp_path, _make_stack(), CLERK_WEBHOOK_SIGNING_SECRET="whsec_theirs")

    ours = find_home(tmp_path).signing_secret()
    secrets = services["ingest"].environment["CLERK_WEBHOOK_SIGNING_SECRET"]
    assert secrets == f"{ours},whsec_theirs"


@pytest.mark.parametrize("door", ["ingest", "api", "desk"])
def test_real_sessions_replace_development_tokens(tmp_path: Path, door: str) -> None:
    """Each door has one source of keys; ours gives way."""
    stack = _make_stack()
    ours = _describe(tmp_path, stack)[door].environment
    theirs = _describe(tmp_path, stack, CLERK_JWKS_URL="https://clerk.example.com")[
        door
    ].environment

    assert "CLERK_JWT_KEY" in ours
    assert "CLERK_JWT_KEY" not in theirs


def test_the_development_user_is_one_of_clerks() -> None:
    """What the printed webhook says is readable to the worker."""
    body = json.dumps(_created(1_790_000_000_000)).encode()

    assert read_data(read_envelope(body), USER).id == DEVELOPMENT_USER
