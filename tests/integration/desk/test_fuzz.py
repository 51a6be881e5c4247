"""Addresses and forms that no page of the desk has, sent by an administrator's browser."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from tests.fuzzing import runs

if TYPE_CHECKING:
    import random

    from tests.desk import Seat

QUESTIONS: Final = 150
PATHS: Final = (
    *("/", "/events", "/events/{}", "/letters", "/letters/plan", "/letters/{}/{}/{}"),
    *("/lines/{}/{}/release", "/operations", "/operations/{}", "/operations/{}/progress"),
    *("/audit", "/sign-in", "/static/{}", "/nothing"),
)
LISTS: Final = ("/letters?", "/events?", "/events?user=user_1&", "/operations?", "/audit?")
FORMS: Final = (
    *("/letters/replay", "/letters/purge", "/letters/{}/{}/{}/reveal", "/letters/{}/{}/{}/edit"),
    *("/lines/{}/{}/release", "/operations/{}/resume"),
)
NAMES: Final = (
    *("q", "user", "event", "type", "reason", "error_class", "topic", "state", "since", "until"),
    *("cursor", "action", "limit", "rate", "allowance", "back", "payload", "assignment", "step"),
)
VALUES: Final = (
    *(
        "",
        "0",
        "-1",
        "1",
        "9" * 19,
        "9" * 40,
        "\u0661",
        "²",
        "nan",
        "inf",
        "1e999",
        "open",
        "dead",
        "\0",
    ),
    *("2026-01-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2d", "9" * 9 + "d"),
    *("PT1S", "replay", "purge", "send", "clerk.user-events", "clerk.user-events.dlq", "../x"),
    *("<script>alert(1)</script>", "{{7*7}}", "%", "_", "\\", "'", "a" * 301, "\x1b[2J", "\ud7ff"),
    *("msg_1", "user_1", "00000000-0000-0000-0000-000000000000", "desk.css", "data.x=1", "[" * 999),
)
CURSORS: Final[tuple[Any, ...]] = (
    *([], [1], ["2026-01-01T00:00:00Z", "t", 0, 0], ["0001-01-01T00:00:00+23:59", "t", 0, 0]),
    *(["2026-01-01T00:00:00", "t\0", 2**40, 2**70], ["2026-01-01T00:00:00Z", "msg_1"]),
    *(["9999-12-31T23:59:59-23:59", "m\0"], {"a": 1}, None, "x", [["2026-01-01"]]),
    *(["2026-01-01T00:00:00Z", "00000000-0000-0000-0000-000000000000"], [-(2**70), 2**70]),
)


def write_value(chance: random.Random, name: str = "") -> str:
    """Return anything; for a cursor mostly what could be one."""
    if name == "cursor" and chance.random() < 0.8:
        said = msgspec.json.encode(chance.choice(CURSORS)) if chance.random() < 0.9 else b"[" * 3000
        return base64.urlsafe_b64encode(said).decode().rstrip("=")
    return chance.choice(VALUES)


def fill(chance: random.Random, path: str) -> str:
    """Return the path with something in each of its places."""
    while "{}" in path:
        path = path.replace("{}", quote(write_value(chance) or "x", safe=""), 1)
    return path


async def test_no_address_breaks_the_desk(seat: Seat) -> None:
    """Nor does a form; and no page shows what it was given as HTML."""
    token = (await seat.get("/audit")).form_token
    for chance in runs(QUESTIONS):
        said: dict[str, Any] = {
            name: write_value(chance, name)
            for name in chance.sample(NAMES, chance.choice((0, 1, 2, 4)))
        }
        if chance.random() < 0.2:
            path = f"{chance.choice(LISTS)}cursor={write_value(chance, 'cursor')}"
            answer = await seat.get(path)
        elif chance.random() < 0.3:
            path = fill(chance, chance.choice(FORMS))
            answer = await seat.post(path, said | {"form_token": token})
        else:
            query = "&".join(f"{name}={quote(value, safe='')}" for name, value in said.items())
            path = f"{fill(chance, chance.choice(PATHS))}?{query}"
            answer = await seat.get(path)

        assert answer.status < 500, f"{path} {said}"
        assert "<script>alert" not in answer.text
