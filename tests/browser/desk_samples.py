"""Pages of the desk without servers behind them: what each may have to show, full and empty."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from deploy.desk.models.events import EventFilter, EventPage, EventRow, EventsPage, Step
from deploy.desk.models.frame import Count, ErrorPage, Fact, Frame, Option, Point, SignInPage
from deploy.desk.models.letters import (
    DiffLine,
    EditPage,
    LetterFilter,
    LetterPage,
    LetterRow,
    LettersPage,
    Payload,
    PlanPage,
)
from deploy.desk.models.operations import AuditPage, OperationPage, OperationRow, OperationsPage
from deploy.desk.models.pipeline import (
    Freshness,
    Lag,
    Outbox,
    PipelinePage,
    Seen,
    Station,
    Stop,
    Target,
    Waiting,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.desk.models.frame import Section, State

NOW: Final = datetime(2026, 11, 21, 9, 41, 7, tzinfo=UTC)
OPERATOR: Final = "user_2NNEqL2nrIRdJ194ndJqAHwEfxC"
EVENT: Final = "msg_2b7QxFz1LmYpC8rT0vKd3nWeHsA"
USER: Final = "user_2bZqVxPfE4ncRyUXWq5aA0TcNmK"
DLQ: Final = "clerk.user-events.dlq"
PLACE: Final = f"{DLQ}/1/4211"


class Sample(NamedTuple):
    """A page and what it shows."""

    template: str
    section: Section
    page: Any


def frame_of(sample: Sample) -> Frame:
    """Return what is around a page; nobody is signed in where somebody signs in."""
    return Frame(
        section=sample.section,
        operator=None if sample.template == "sign_in.html" else OPERATOR,
        form_token="t" * 43,
        now=NOW,
        can_sign_out=True,
    )


def _ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def _points(*values: int, step: timedelta) -> tuple[Point, ...]:
    return tuple(
        Point(at=NOW - (len(values) - number - 1) * step, value=value)
        for number, value in enumerate(values)
    )


def _facts(**facts: str) -> tuple[Fact, ...]:
    return tuple(Fact(name=name.replace("_", " "), value=value) for name, value in facts.items())


def _options(*values: str, chosen: str) -> tuple[Option, ...]:
    return tuple(Option(value=each, name=each, chosen=each in chosen.split()) for each in values)


_FLOW: Final = (
    *(96, 101, 88, 120, 134, 128, 140, 122, 118, 131, 149, 160, 171, 155, 150, 162, 180, 174, 169),
    *(158, 161, 170, 166, 177, 190, 184, 172, 95),
)
_STATIONS: Final = (
    Station(
        name="ingest",
        title="Ingest",
        state="good",
        word="taking webhooks",
        rate=172,
        age_s=None,
        facts=_facts(last_webhook="2 s ago", refused="0"),
        url="/events",
    ),
    Station(
        name="kafka",
        title="Kafka",
        state="good",
        word="3 brokers",
        rate=172,
        age_s=None,
        facts=_facts(publish_p99="4 ms", breaker="closed"),
        url="",
    ),
    Station(
        name="workers",
        title="Workers",
        state="slow",
        word="1,204 behind",
        rate=141,
        age_s=8.4,
        facts=_facts(partitions_behind="2 of 30"),
        url="",
    ),
    Station(
        name="postgres",
        title="PostgreSQL",
        state="good",
        word="answering",
        rate=None,
        age_s=None,
        facts=_facts(connections="14 of 100", longest="0.2 s"),
        url="",
    ),
    Station(
        name="relay",
        title="Relay",
        state="good",
        word="up to date",
        rate=139,
        age_s=0,
        facts=(),
        url="",
    ),
    Station(
        name="letters",
        title="Dead letters",
        state="stopped",
        word="41 wait",
        rate=None,
        age_s=7_400,
        facts=_facts(parked="3"),
        url="/letters",
    ),
)
PIPELINE: Final = PipelinePage(
    state="slow",
    sentence="Workers are behind on clerk.user-events; 41 dead letters wait for somebody.",
    stations=_STATIONS,
    received=_points(*_FLOW, step=timedelta(minutes=1)),
    applied=_points(*(each - 9 for each in _FLOW), step=timedelta(minutes=1)),
    freshness=Freshness(p50_s=0.041, p99_s=0.86, events=1000, since=_ago(minutes=6)),
    outcomes=(
        Count(name="applied", number=961, url="/events?outcome=applied"),
        Count(name="stale", number=27, url="/events?outcome=stale"),
        Count(name="ignored", number=8, url="/events?outcome=ignored"),
        Count(name="dead", number=4, url="/events?outcome=dead"),
    ),
    lags=(
        Lag(topic="clerk.user-events", records=1204, seconds=8.4, partitions=2),
        Lag(topic="clerk.org-events", records=0, seconds=0, partitions=0),
        Lag(topic="app.user-commands", records=0, seconds=0, partitions=0),
    ),
    stops=(
        Stop(
            topic="clerk.org-events",
            partition=3,
            rejects=52,
            events=60,
            reason="data.slug: is longer than 256",
            at=_ago(minutes=12),
        ),
    ),
    letters=(
        Waiting(
            state="open", letters=41, more=False, oldest=_ago(hours=2), url="/letters?state=open"
        ),
        Waiting(
            state="parked", letters=3, more=False, oldest=_ago(days=4), url="/letters?state=parked"
        ),
    ),
    outbox=Outbox(waiting=3, more=False, seconds=0.2, active=True),
    last_webhook=Seen(
        event_id=EVENT, type="user.updated", at=_ago(seconds=2), url=f"/events/{EVENT}"
    ),
    canary=Seen(
        event_id="canary_1", type="user.updated", at=_ago(seconds=41), url="/events/canary_1"
    ),
    targets=(
        Target(
            name="http://ingest:8080/metrics",
            state="good",
            word="answers",
            facts=_facts(publish_p99="4 ms", breaker="closed"),
        ),
        Target(
            name="http://worker:9101/metrics", state="stopped", word="does not answer", facts=()
        ),
    ),
    troubles=("The processes' metrics could not all be read: worker:9101 does not answer.",),
)


def _quiet(station: Station) -> Station:
    state: State = "unknown" if station.name == "kafka" else "good"
    return replace(
        station, state=state, word="not known" if state == "unknown" else "quiet", rate=0
    )


QUIET: Final = replace(
    PIPELINE,
    state="good",
    sentence="Nothing waits anywhere.",
    stations=tuple(_quiet(each) for each in _STATIONS),
    received=(),
    applied=(),
    freshness=None,
    outcomes=(),
    lags=(),
    stops=(),
    letters=(),
    outbox=None,
    last_webhook=None,
    canary=None,
    targets=(),
    troubles=(),
)

_OUTCOMES: Final = ("applied", "stale", "applied", "retrying", "dead", "ignored", "waiting")


def _event(number: int) -> EventRow:
    outcome = _OUTCOMES[number % len(_OUTCOMES)]
    return EventRow(
        event_id=f"{EVENT[:-2]}{number:02}",
        type=("user.updated", "session.created", "organizationMembership.created")[number % 3],
        user=USER if number % 4 else "",
        received_at=_ago(seconds=7 + 31 * number),
        applied_at=None if outcome == "waiting" else _ago(seconds=6 + 31 * number),
        seconds=None if outcome == "waiting" else 0.037 * (number + 1),
        outcome=outcome,
        reason="users.email: is longer than 320" if outcome in {"dead", "retrying"} else "",
        place=f"clerk.user-events/{number % 12}/{182_044 - number}",
        canary=number == 5,
        url=f"/events/{EVENT[:-2]}{number:02}",
        user_url=f"/events?user={USER}" if number % 4 else "",
    )


_NO_FILTER: Final = EventFilter(
    q="",
    user="",
    type="",
    outcomes=_options("any", *dict.fromkeys(_OUTCOMES), chosen="any"),
    since="",
    until="",
    canaries=False,
)
EVENTS: Final = EventsPage(
    filter=_NO_FILTER,
    filtered=False,
    rows=tuple(map(_event, range(14))),
    looked_at=50,
    back_to=_ago(minutes=31),
    older_url="/events?cursor=1",
    newest_url="",
    problem="",
)
NO_EVENTS: Final = replace(EVENTS, rows=(), older_url="", looked_at=0, back_to=None)
NONE_LIKE_THAT: Final = replace(
    NO_EVENTS,
    filter=replace(_NO_FILTER, user=USER, since="2 weeks"),
    filtered=True,
    looked_at=5000,
    back_to=_ago(days=2),
    older_url="/events?cursor=2",
    newest_url="/events",
    problem="2 weeks is no time. Say it as 2026-01-31, 2026-01-31T12:00 or, counted from now, 90m.",
)


def _letter(number: int) -> LetterRow:
    return LetterRow(
        place=f"{DLQ}/{number % 3}/{4211 - number}",
        dead_at=_ago(minutes=3 + 17 * number),
        state=("open", "open", "parked", "replaying", "replayed", "purged")[number % 6],
        error_class=("poison.data", "bug", "poison.decode")[number % 3],
        error_code=("22001", "KeyError", "MISSING_FIELD")[number % 3],
        reason=("users.email: is longer than 320", "", "data.id: is missing")[number % 3],
        type="user.updated" if number % 3 != 2 else "",
        user=USER,
        event_id=EVENT if number % 3 != 2 else "",
        source=f"clerk.user-events/7/{182_044 - number}",
        attempts=4,
        replays=number % 3,
        edited=number == 4,
        url=f"/letters/{DLQ}/{number % 3}/{4211 - number}",
        event_url=f"/events/{EVENT}" if number % 3 != 2 else "",
    )


def _operation(number: int) -> OperationRow:
    state = ("running", "broken", "finished", "finished", "finished", "finished")[number]
    action = ("replay", "replay", "reveal", "edit", "purge", "replay")[number]
    planned = (1204, 38, 1, 1, 3, 412)[number]
    return OperationRow(
        id=str(uuid.UUID(int=0x01930F5AC0DE70009B1C2D3E4F500000 + number)),
        action=action,
        operator=OPERATOR if number % 2 == 0 else "ada@ops-1",
        started_at=_ago(minutes=2 + 55 * number),
        finished_at=_ago(minutes=1 + 55 * number) if state == "finished" else None,
        planned=planned,
        done={"running": 451, "broken": 12}.get(state, planned),
        state=state,
        asked=_facts(state="open", error_class="poison.data") if number % 3 == 0 else (),
        url=f"/operations/{number}",
    )


_STEPS: Final = (
    Step(
        name="received",
        title="Received by ingest",
        at=_ago(minutes=9),
        state="good",
        after_s=None,
        facts=_facts(answered="202"),
    ),
    Step(
        name="stored",
        title="Stored in Kafka",
        at=_ago(minutes=9),
        state="good",
        after_s=0.004,
        facts=_facts(place="clerk.user-events/7/182044"),
    ),
    Step(
        name="worked",
        title="Retrying",
        at=_ago(minutes=8.9),
        state="waiting",
        after_s=6,
        facts=_facts(reason="bug KeyError"),
    ),
    Step(
        name="died",
        title="Set aside as a dead letter",
        at=_ago(minutes=8),
        state="bad",
        after_s=60,
        facts=_facts(because="poison.data 22001 users.email: is longer than 320", attempts="4"),
        url=f"/letters/{PLACE}",
    ),
    Step(
        name="replayed",
        title="Replayed, edited",
        at=_ago(minutes=2),
        state="neutral",
        after_s=420,
        facts=_facts(by=OPERATOR),
        url="/operations/3",
    ),
    Step(
        name="worked",
        title="Applied",
        at=_ago(minutes=2),
        state="good",
        after_s=420.04,
        facts=(),
    ),
    Step(
        name="told",
        title="Told to others",
        at=_ago(minutes=2),
        state="good",
        after_s=420.1,
        facts=_facts(topic="user.changes", version="7"),
    ),
)
EVENT_PAGE: Final = EventPage(
    event_id=EVENT,
    known=True,
    words="",
    type="user.updated",
    user=USER,
    user_url=f"/events?user={USER}",
    outcome="applied",
    reason="",
    steps=_STEPS,
    letters=(_letter(4),),
    operations=(_operation(3),),
)
UNKNOWN_EVENT: Final = EventPage(
    event_id="msg_unknown",
    known=False,
    words="It was never received, or no worker has come to it yet.",
    type="",
    user="",
    user_url="",
    outcome="",
    reason="",
    steps=(),
    letters=(),
    operations=(),
)

_LETTER_FILTER: Final = LetterFilter(
    states=_options("open", "parked", "replaying", "replayed", "purged", chosen="open parked"),
    reason="email",
    error_class="",
    type="",
    user="",
    topic="",
    since="2d",
    until="",
    event="",
)
_DEATHS: Final = (
    *(0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 3, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0),
    *(0, 0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 11, 19, 7, 2, 0, 1, 0, 0, 3),
)
LETTERS: Final = LettersPage(
    filter=_LETTER_FILTER,
    filtered=True,
    rows=tuple(map(_letter, range(12))),
    total=58,
    by_class=(
        Count(name="poison.data", number=44, url="/letters?error_class=poison.data"),
        Count(name="bug", number=11, url="/letters?error_class=bug"),
        Count(name="poison.decode", number=3, url="/letters?error_class=poison.decode"),
    ),
    by_reason=(
        Count(name="22001 users.email: is longer than 320", number=44, url="/letters?reason=22001"),
        Count(name="KeyError", number=11, url="/letters?reason=KeyError"),
        Count(name="(others)", number=3),
    ),
    by_type=(
        Count(name="user.updated", number=49, url="/letters?type=user.updated"),
        Count(name="user.created", number=9, url="/letters?type=user.created"),
    ),
    by_time=_points(*_DEATHS, step=timedelta(hours=1)),
    unit="hour",
    older_url="/letters?cursor=1",
    newest_url="/letters",
    replay_url="/letters/plan?action=replay",
    purge_url="/letters/plan?action=purge",
    problem="",
)
NO_LETTERS: Final = replace(
    LETTERS,
    filter=replace(
        _LETTER_FILTER,
        reason="",
        since="",
        states=_options("open", "parked", "replaying", "replayed", "purged", chosen="open"),
    ),
    filtered=False,
    rows=(),
    total=0,
    by_class=(),
    by_reason=(),
    by_type=(),
    by_time=(),
    older_url="",
    newest_url="",
    replay_url="",
    purge_url="",
)
NO_LETTER_MATCHES: Final = replace(
    NO_LETTERS, filter=_LETTER_FILTER, filtered=True, problem="soon is no time."
)

_LINES: Final = """{
  "data": {
    "id": "user_2bZqVxPfE4ncRyUXWq5aA0TcNmK",
    "object": "user",
    "first_name": "•••",
    "last_name": "•••",
    "email_addresses": [
      {
        "id": "idn_2bZqVw0lLx3bJd",
        "email_address": "•••",
        "verification": {
          "status": "verified",
          "strategy": "email_code"
        }
      }
    ],
    "public_metadata": {
      "•••0": "•••"
    },
    "created_at": 1763717000000,
    "updated_at": 1763717526000
  },
  "object": "event",
  "timestamp": 1763717526412,
  "type": "user.updated"
}""".splitlines()
LETTER: Final = LetterPage(
    row=replace(_letter(0), place=PLACE),
    facts=_facts(
        type="user.updated", user=USER, first_read="clerk.user-events/7/182044", first_failed="09:31"
    ),
    headers=_facts(
        ce_id=EVENT,
        ce_type="user.updated",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )
    + (Fact(name="x-error-message", value="•••"),),
    payload=Payload(lines=tuple(_LINES), masked=True, bytes=1873),
    operations=(_operation(2),),
    waits=True,
    reveal_url=f"/letters/{PLACE}/reveal",
    edit_url=f"/letters/{PLACE}/edit",
    replay_url="/letters/plan?action=replay",
    purge_url="/letters/plan?action=purge",
    problem="",
)
REVEALED: Final = replace(
    LETTER,
    payload=Payload(
        lines=tuple(each.replace("•••", "for the eyes of the operator") for each in _LINES),
        masked=False,
        bytes=1873,
    ),
    problem="As it is now, it would die again: data.id: is missing.",
)
GONE_LETTER: Final = replace(
    LETTER,
    row=replace(_letter(2), place=PLACE),
    payload=None,
    headers=(),
    operations=(),
    waits=True,
    replay_url="",
)
EDIT: Final = EditPage(
    row=LETTER.row,
    difference=(
        DiffLine(kind="place", text="@@ -8,7 +8,7 @@"),
        DiffLine(kind="same", text='       "id": "idn_2bZqVw0lLx3bJd",'),
        DiffLine(kind="removed", text='-      "email_address": "ada@example.com, ' + "x" * 90 + '",'),
        DiffLine(kind="added", text='+      "email_address": "ada@example.com",'),
        DiffLine(kind="same", text='       "verification": {'),
    ),
    payload="\n".join(_LINES),
    goes_to="clerk.user-events",
    problem="",
    edit_url=LETTER.edit_url,
    back_url=f"/letters/{PLACE}",
)
REFUSED_EDIT: Final = replace(
    EDIT, difference=(), goes_to="", problem="As it is now, it would die again: data.id: is missing."
)
PLAN: Final = PlanPage(
    action="replay",
    asked=_facts(states="open, parked", reason="email", until="2026-11-21 09:41:07 UTC"),
    letters=1204,
    gone=3,
    astray=1,
    fields=_facts(state="open", reason="email"),
    action_url="/letters/replay",
    back_url="/letters",
    busy_url="",
)
PURGE: Final = replace(PLAN, action="purge", letters=1, gone=0, action_url="/letters/purge")
BUSY_PLAN: Final = replace(PLAN, busy_url="/operations/0")
NO_PLAN: Final = replace(PLAN, letters=0, gone=0)
RUNNING: Final = OperationPage(
    row=_operation(0),
    share=451 / 1204,
    problem="",
    letters_url="/letters?operation=1",
    progress_url="/operations/0/progress",
    resume_url="",
)
BROKEN: Final = OperationPage(
    row=_operation(1),
    share=12 / 38,
    problem="Kafka does not take the letters.",
    letters_url="",
    progress_url="/operations/1/progress",
    resume_url="/operations/1/resume",
)
FINISHED: Final = replace(RUNNING, row=_operation(5), share=1.0)
ERROR: Final = ErrorPage(
    status=503,
    title="The database does not answer",
    words="The desk needs PostgreSQL for this page. Is it up, and DATABASE_URL right?",
    request_id="req_01JD7K0Q",
    retry_url="/letters",
)

SAMPLES: Final[Mapping[str, Sample]] = {
    "pipeline": Sample("pipeline.html", "pipeline", PIPELINE),
    "pipeline-quiet": Sample("pipeline.html", "pipeline", QUIET),
    "events": Sample("events.html", "events", EVENTS),
    "events-empty": Sample("events.html", "events", NO_EVENTS),
    "events-none": Sample("events.html", "events", NONE_LIKE_THAT),
    "event": Sample("event.html", "events", EVENT_PAGE),
    "event-unknown": Sample("event.html", "events", UNKNOWN_EVENT),
    "letters": Sample("letters.html", "letters", LETTERS),
    "letters-empty": Sample("letters.html", "letters", NO_LETTERS),
    "letters-none": Sample("letters.html", "letters", NO_LETTER_MATCHES),
    "letter": Sample("letter.html", "letters", LETTER),
    "letter-revealed": Sample("letter.html", "letters", REVEALED),
    "letter-gone": Sample("letter.html", "letters", GONE_LETTER),
    "edit": Sample("edit.html", "letters", EDIT),
    "edit-refused": Sample("edit.html", "letters", REFUSED_EDIT),
    "plan": Sample("plan.html", "letters", PLAN),
    "plan-purge": Sample("plan.html", "letters", PURGE),
    "plan-busy": Sample("plan.html", "letters", BUSY_PLAN),
    "plan-nothing": Sample("plan.html", "letters", NO_PLAN),
    "operations": Sample(
        "operations.html",
        "operations",
        OperationsPage(
            unfinished=tuple(map(_operation, (0, 1))),
            finished=tuple(map(_operation, range(2, 6))),
        ),
    ),
    "operations-empty": Sample(
        "operations.html", "operations", OperationsPage(unfinished=(), finished=())
    ),
    "operation": Sample("operation.html", "operations", RUNNING),
    "operation-broken": Sample("operation.html", "operations", BROKEN),
    "operation-finished": Sample("operation.html", "operations", FINISHED),
    "audit": Sample(
        "audit.html",
        "audit",
        AuditPage(
            rows=tuple(map(_operation, range(6))), older_url="/audit?cursor=1", newest_url="/audit"
        ),
    ),
    "audit-empty": Sample("audit.html", "audit", AuditPage(rows=(), older_url="", newest_url="")),
    "sign-in": Sample(
        "sign_in.html",
        "",
        SignInPage(problem="That token is not valid any more.", code="", back="/"),
    ),
    "sign-in-code": Sample("sign_in.html", "", SignInPage(problem="", code="c" * 43, back="/")),
    "error": Sample("error.html", "", ERROR),
}
"""Name -> a page, in a state that it can be in."""
