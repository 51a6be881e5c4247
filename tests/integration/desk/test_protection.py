"""What keeps strangers' pages out, and personal data in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from structlog.testing import capture_logs

from deploy.desk.routes import ENDPOINTS
from tests.desk import make_token
from tests.letters import die, find_letters

if TYPE_CHECKING:
    import asyncpg
    from aiokafka import AIOKafkaProducer

    from tests.desk import Seat

    Database = asyncpg.Connection[asyncpg.Record]

FORMS: Final = [
    *("/letters/replay", "/letters/purge", "/sign-out", "/sign-in"),
    *("/letters/clerk.user-events.dlq/0/0/reveal", "/letters/clerk.user-events.dlq/0/0/edit"),
    "/operations/00000000-0000-4000-8000-000000000000/resume",
    "/lines/clerk.user-events/0/release",
]
ELSEWHERE: Final = {
    "another origin": {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"},
    "a neighbour": {"Origin": "null", "Sec_Fetch_Site": "same-site"},
    "no origin": {"Origin": "", "Sec_Fetch_Site": ""},
    "null": {"Origin": "null", "Sec_Fetch_Site": ""},
    "said to be ours": {"Origin": "https://evil.example", "Sec_Fetch_Site": "same-origin"},
}
POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def test_every_form_is_tried() -> None:
    """No route that changes something is forgotten below; programs have a token for theirs."""
    posts = {each.path for each in ENDPOINTS if each.method == "POST"} - {"/sign-in/codes"}
    patterns = [re.sub(r"\{\w+\}", "[^/]+", path) for path in posts]

    assert len(posts) == len(FORMS)
    assert all(any(re.fullmatch(each, path) for path in FORMS) for each in patterns)


@pytest.mark.parametrize("place", ELSEWHERE)
async def test_forms_come_from_the_desk_alone(seat: Seat, admin: str, place: str) -> None:
    """Whatever page sent it: a good session and a good token do not make up for its origin."""
    token = (await seat.get("/audit")).form_token
    form = {"form_token": token, "token": make_token(admin), "limit": "1"}
    answers = [await seat.post(path, form, **ELSEWHERE[place]) for path in FORMS]

    assert {answer.status for answer in answers} == {403}
    assert all("not sent from a page of the desk" in answer.shown for answer in answers)
    assert (await seat.get("/audit")).status == 200


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
async def test_forms_are_of_this_session(seat: Seat, token: str) -> None:
    """Without its token, or with another's, nothing is done."""
    inside = [path for path in FORMS if path != "/sign-in"]
    answers = [await seat.post(path, {"form_token": token, "limit": "1"}) for path in inside]

    assert {answer.status for answer in answers} == {403}
    assert (await seat.get("/audit")).status == 200


async def test_our_own_origin_is_good_enough(seat: Seat) -> None:
    """Where a browser names it; one without Sec-Fetch-Site does."""
    token = (await seat.get("/audit")).form_token
    said = {"Origin": seat.origin, "Sec_Fetch_Site": ""}
    answer = await seat.post("/sign-out", {"form_token": token}, **said)

    assert answer.status == 303


async def test_a_form_is_a_form(seat: Seat) -> None:
    """JSON, files and broken text are refused before anybody looks at them."""
    own = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    json = await seat.client.post("/letters/purge", json={"limit": 1}, headers=own)
    broken = await seat.client.post(
        "/letters/purge",
        data=b"form_token=%ff",
        headers={**own, "Content-Type": "application/x-www-form-urlencoded"},
    )

    assert (json.status, broken.status in {400, 403}) == (415, True)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(("/", 200), ("/events", 200), ("/letters", 200), ("/operations", 200), ("/audit", 200)),
        *(("/sign-in", 200), ("/events/msg_none", 200), ("/nowhere", 404)),
        *(("/letters/a/0/0", 404), ("/letters/a/b/c", 404), ("/operations/x", 404)),
        *(("/audit?cursor=x", 400), ("/letters?cursor=e30", 400), ("/letters?state=x", 200)),
        *(("/events?since=x", 200), ("/letters/plan?action=x", 400)),
    ],
)
async def test_every_page_has_the_strict_policy(seat: Seat, path: str, status: int) -> None:
    """Nothing inline, nothing from elsewhere, in no frame, in no cache, and no referrer."""
    answer = await seat.get(path)

    assert answer.status == status, answer.shown
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert not re.search(r"<style|\sstyle=|<script(?! src=\"/static/)|\son[a-z]+=", answer.text)


async def test_static_files_are_ours_and_kept(stranger: Seat) -> None:
    """Before anybody signs in; under an address that changes with them."""
    page = await stranger.get("/sign-in")
    files = re.findall(r'"(/static/[^"]+)"', page.text)
    answers = [await stranger.get(each) for each in files]

    assert {each.partition("?")[0] for each in files} >= {"/static/desk.css", "/static/desk.js"}
    assert {answer.status for answer in answers} == {200}
    assert all("immutable" in answer.headers["Cache-Control"] for answer in answers)
    assert (await stranger.get("/static/..%2fapp.py")).status == 404


@pytest.mark.usefixtures("worker")
async def test_logs_hold_no_personal_data(
    producer: AIOKafkaProducer, database: Database, user: str, admin: str, seat: Seat
) -> None:
    """Nor tokens, nor payloads: ids of who acts, routes and counts."""
    await die(producer, database, user, count=1)
    [row] = await find_letters(database, user)
    path = f"/letters/{row['topic']}/{row['partition']}/{row['offset']}"
    token = make_token(admin)
    with capture_logs() as lines:
        await seat.post("/sign-in", {"token": token})
        revealed = await seat.act(path, f"{path}/reveal")
        checked = await seat.act(path, f"{path}/edit", assignment='data.first_name="Grace"')
        await seat.get(f"/letters?user={user}&reason=secret-reason")
        await seat.get("/events?q=ada@example.com")
    said = repr(lines)

    assert revealed.status == checked.status == 200
    assert "Faulty" in revealed.shown
    assert "request_served" in said
    assert not [
        each
        for each in ("Faulty", "Grace", "@example.com", token, revealed.form_token, "secret-reason")
        if each in said
    ]
