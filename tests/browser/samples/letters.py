"""Dead letters: many, none, one; masked, in full, gone; and what is done with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from deploy.desk.models.frame import Count, Fact
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
from tests.browser.samples.made_up import DLQ, EVENT, PLACE, USER, ago, facts, options, points
from tests.browser.samples.operations import operation


def letter(number: int) -> LetterRow:
    """Return one of many."""
    return LetterRow(
        place=f"{DLQ}/{number % 3}/{4211 - number}",
        dead_at=ago(minutes=3 + 17 * number),
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


_LETTER_FILTER: Final = LetterFilter(
    states=options("open", "parked", "replaying", "replayed", "purged", chosen="open parked"),
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
    rows=tuple(map(letter, range(12))),
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
    by_time=points(*_DEATHS, step=timedelta(hours=1)),
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
        states=options("open", "parked", "replaying", "replayed", "purged", chosen="open"),
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
    row=replace(letter(0), place=PLACE),
    facts=facts(
        type="user.updated",
        user=USER,
        first_failed="2026-11-21 09:31:44 UTC",
        **{"in": PLACE, "from": "clerk.user-events/7/182044"},
    ),
    headers=(
        Fact(name="ce_id", value=EVENT),
        Fact(name="ce_type", value="user.updated"),
        Fact(name="traceparent", value="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        Fact(name="x-error-message", value="•••"),
    ),
    payload=Payload(lines=tuple(_LINES), masked=True, bytes=1873),
    operations=(operation(2),),
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
    row=replace(letter(2), place=PLACE),
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
        DiffLine(kind="removed", text='-      "email_address": "ada.lovelace@example.com ",'),
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
    EDIT,
    difference=(),
    goes_to="",
    problem="As it is now, it would die again: data.id: is missing.",
)
PLAN: Final = PlanPage(
    action="replay",
    asked=facts(states="open, parked", reason="email", until="2026-11-21 09:41:07 UTC"),
    letters=1204,
    gone=3,
    astray=1,
    fields=facts(state="open", reason="email"),
    action_url="/letters/replay",
    back_url="/letters",
    busy_url="",
)
PURGE: Final = replace(PLAN, action="purge", letters=1, gone=0, action_url="/letters/purge")
BUSY_PLAN: Final = replace(PLAN, busy_url="/operations/0")
NO_PLAN: Final = replace(PLAN, letters=0, gone=0)
