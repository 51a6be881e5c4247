"""Connecting: what is told, asked and judged, without anybody at the other end."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from deploy.arrivals import read_arrival
from deploy.connect import fill, run
from deploy.connect.ask import NobodyError, Terminal
from deploy.connect.door import complete, ingest_port, judge_refusal
from deploy.connect.events import list_kept, list_needed, list_unwanted
from deploy.connect.register import tell_registration
from deploy.connect.tunnels import describe_tunnels
from deploy.connect.visit import StepError, Visit, Wishes
from deploy.errors import OperatorError
from deploy.sign import new_event_id
from ingest.redact import TYPES
from schema.kafka.changes import CANARY_PREFIX
from schema.kafka.headers import EventHeaders, write_event_headers
from tests.factories import make_record
from workers.project import PROJECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.backfill.run import Wishes as Backfill

URL = "https://hooks.example.com/webhooks/clerk"


class Nodder:
    """Says yes, or no."""

    def __init__(self, *, nods: bool) -> None:
        self.nods = nods

    def ask(self, question: str, *, instead: str) -> str:
        """Never asked."""
        raise AssertionError(question, instead)

    ask_secret = ask

    def agrees(self, question: str, *, instead: str) -> bool:
        """Answer."""
        assert "clerkwork backfill" in question
        assert instead == "say --yes"
        return self.nods


def _visit(*, nods: bool = False, yes: bool = False) -> Visit:
    console = Console(file=io.StringIO(), width=400)
    return Visit(
        person=Nodder(nods=nods),
        console=console,
        wishes=Wishes(url=None, wait_s=1, yes=yes),
    )


def _said(visit: Visit) -> str:
    assert isinstance(visit.console.file, io.StringIO)
    return visit.console.file.getvalue()


def test_the_events_to_tick_are_those_that_change_rows() -> None:
    """Each of Clerk's that a projection knows, and none that is our own."""
    needed = list_needed()

    assert {"user.created", "user.deleted", "organizationMembership.deleted"} < {*needed}
    assert {*PROJECTIONS} - {*needed} == {n for n in PROJECTIONS if n.startswith("clerkwork.")}
    assert "role.*" in list_kept()
    assert not any(name.startswith(("email", "sms", "user.", "session.")) for name in list_kept())
    assert {*list_unwanted()} == TYPES


def test_the_endpoint_is_told_with_its_events() -> None:
    """All that is to be entered is there to be copied."""
    visit = _visit()

    tell_registration(visit, URL)

    assert all(each in _said(visit) for each in (URL, "Add Endpoint", *list_needed()))


def test_tunnels_lead_to_the_port_of_ingest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it listens; what each needs is told."""
    assert ingest_port() == 8080
    monkeypatch.setenv("INGEST_PORT", "9090")

    told = "\n".join(describe_tunnels(ingest_port()))

    assert told.count("9090") == 4
    assert "byte for byte" in told


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://hooks.example.com", URL),
        (" https://hooks.example.com/ ", URL),
        (URL, URL),
        (f"{URL}/", URL),
        ("https://hooks.example.com?x=1#y", URL),
        ("https://hooks.example.com/inner", "https://hooks.example.com/inner/webhooks/clerk"),
    ],
)
def test_an_address_is_completed(text: str, url: str) -> None:
    """With the path of webhooks, once."""
    assert complete(text) == url


@pytest.mark.parametrize("text", ["", "hooks.example.com", "ftp://x", "https://", "http://[::1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """Before anybody is asked."""
    with pytest.raises(StepError, match="is no address"):
        complete(text)


def test_an_ingest_that_is_annoyed_is_told() -> None:
    """Whoever tries often enough is held off."""
    error = {"code": "RATE_LIMITED", "requestId": "r"}

    with pytest.raises(StepError, match="for a minute"):
        judge_refusal(URL, status=429, body={"error": error})


def test_nobody_at_the_terminal_is_told_what_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pipe, each question names what answers it."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    terminal = Terminal(Console(file=io.StringIO()))
    questions: list[Callable[[], object]] = [
        lambda: terminal.ask("Where?", instead="say --url"),
        lambda: terminal.ask_secret("Which?", instead="set KEY"),
        lambda: terminal.agrees("So?", instead="say --yes"),
    ]

    for question, instead in zip(questions, ("--url", "KEY", "--yes"), strict=True):
        with pytest.raises(OperatorError, match=instead):
            question()


def test_a_person_who_leaves_is_told_what_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-D is no answer, and nobody's fault."""
    stdin = io.StringIO()
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", stdin)
    terminal = Terminal(Console(file=io.StringIO()))

    with pytest.raises(NobodyError, match="nobody has answered: say --url"):
        terminal.ask("Where?", instead="say --url")
    with pytest.raises(NobodyError, match="nobody has answered: say --yes"):
        terminal.agrees("So?", instead="say --yes")


def test_where_nobody_can_be_asked_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it goes on: the doctor looks anyhow."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr(fill, "run_backfill", lambda wishes, _: int(wishes.dry_run))
    one = _visit()
    one = replace(one, person=Terminal(one.console))

    assert fill.fill(one) == 0
    assert "nobody is here to answer: say --yes" in _said(one)
    assert "Nothing was fetched." in _said(one)


@pytest.mark.parametrize(
    ("nods", "yes", "backfills"),
    [(False, False, [True]), (True, False, [True, False]), (False, True, [True, False])],
)
def test_the_backfill_is_offered_with_its_figures(
    nods: bool,  # noqa: FBT001 - a case
    yes: bool,  # noqa: FBT001 - a case
    backfills: list[bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """First without publishing anything; then only if that is wished."""
    ran: list[bool] = []

    def note(wishes: Backfill, _console: Console) -> int:
        ran.append(wishes.dry_run)
        return 0 if wishes.dry_run else 3

    monkeypatch.setattr(fill, "run_backfill", note)

    code = fill.fill(_visit(nods=nods, yes=yes))

    assert ran == backfills
    assert code == (3 if len(backfills) > 1 else 0)


def test_ctrl_c_ends_it_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it comes, and with the exit code of shells."""
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)

    async def interrupt(_visit: Visit) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "walk", interrupt)
    console = Console(file=io.StringIO())

    assert run.run_connect(Wishes(url=None, wait_s=1, yes=False), console) == 130
    assert isinstance(console.file, io.StringIO)
    assert "Run it again" in console.file.getvalue()


@pytest.mark.parametrize(
    ("event_id", "source", "subject", "ours"),
    [
        ("msg_2abcDEFghiJKLmnoPQRstuVWXyz", "ins_1", "user_1", False),
        ("msg_2abcDEFghiJKLmnoPQRstuVWXyz", "clerkwork/ingest", None, False),
        (new_event_id(), "ins_1", "user_1", True),
        ("msg_2abcDEFghiJKLmnoPQRstuVWXyz", "ins_1", f"{CANARY_PREFIX}-1-0", True),
        ("look_1", "clerkwork/backfill", "user_1", True),
    ],
    ids=["webhook", "quarantined", "sample", "canary", "look"],
)
def test_what_is_clerks_is_told_from_our_own(
    event_id: str,
    source: str,
    subject: str | None,
    ours: bool,  # noqa: FBT001 - a case
) -> None:
    """Samples, canaries and snapshots are on the same topics."""
    headers = EventHeaders(
        event_id=event_id,
        event_type="user.created",
        source=source,
        occurred_at=None,
        subject=subject,
        request_id="r",
    )

    arrival = read_arrival(make_record(b"{}", headers=write_event_headers(headers)))

    assert (arrival is None) is ours
