"""Who is let in to the desk, by what, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import asyncpg
import pytest

from deploy.desk.routes import ENDPOINTS
from deploy.desk.sessions import SESSIONS
from deploy.tokens import mint_machine_token
from schema.http.tokens.claims import READ_SCOPE
from schema.postgres.ids import derive_id
from tests.desk import insert_admin, make_token, private_key, seated, serving_desk
from tests.factories import new_user_id
from tests.rows import BEGINNING, insert, insert_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.desk import Answer, Seat
    from tests.serving import Server

    Database = asyncpg.Connection[asyncpg.Record]

CALLERS: Final = ("nobody", "forged", "machine", "unknown", "user", "scope", "banned", "admin")
ROUTES: Final = [each for each in ENDPOINTS if each.signed_in]
_PARTS: Final = {
    "{event_id}": "msg_1",
    "{topic}": "clerk.user-events.dlq",
    "{partition}": "0",
    "{offset}": "7",
    "{id}": "00000000-0000-4000-8000-000000000000",
}


@pytest.fixture(scope="module")
async def shared(bootstrap_servers: str, shared_database_url: str) -> AsyncIterator[Server]:
    """A desk on the database of this file's tests."""
    async with serving_desk(bootstrap_servers, shared_database_url) as server:
        yield server


@pytest.fixture(scope="module")
async def tokens(shared_database_url: str) -> dict[str, str]:
    """A token of each caller."""
    database = await asyncpg.connect(shared_database_url)
    user = await insert_user(database)
    callers = {
        "forged": make_token(new_user_id())[:-8] + "AAAAAAAA",
        "machine": mint_machine_token(private_key(), machine_id="mch_1", minutes=5),
        "unknown": make_token(new_user_id()),
        "user": make_token(user),
        "scope": make_token(user, scopes=(READ_SCOPE,)),
        "banned": make_token(await insert_user(database, role="admin", status="banned")),
        "admin": make_token(await insert_admin(database)),
    }
    await database.close()
    return callers


def _path(template: str) -> str:
    for part, value in _PARTS.items():
        template = template.replace(part, value)
    return template


@pytest.mark.parametrize("by", CALLERS)
async def test_only_administrators_are_let_in(
    shared: Server, tokens: dict[str, str], by: str
) -> None:
    """Whatever the route: without a good session one is led to sign in, else told in words."""
    async with seated(shared) as seat:
        if by != "nobody":
            seat.headers["Authorization"] = f"Bearer {tokens[by]}"
        found: dict[str, Answer] = {}
        for each in ROUTES:
            path = _path(each.path)
            post = each.method == "POST"
            found[f"{each.method} {path}"] = await (seat.post(path, {}) if post else seat.get(path))

    statuses = {name: answer.status for name, answer in found.items()}
    if by in {"nobody", "forged", "machine"}:
        assert set(statuses.values()) == {303}
        leads = {answer.headers["Location"].partition("?")[0] for answer in found.values()}
        assert leads == {"/sign-in"}
    elif by == "admin":
        # Forms without the token of the session are refused even then.
        assert {n: s for n, s in statuses.items() if s not in {200, 404, 400}} == dict.fromkeys(
            (n for n in statuses if n.startswith("POST")), 403
        )
        assert all("another session" in a.shown for n, a in found.items() if n.startswith("POST"))
    else:
        assert set(statuses.values()) == {403}
        words = "account is banned" if by == "banned" else "is no administrator here"
        assert all(words in answer.shown for answer in found.values())


async def test_a_proxy_may_ask_for_a_password_of_its_own(seat: Seat) -> None:
    """What it lets through with that does not hide the session; a bearer token wins over it."""
    basic = await seat.get("/audit", Authorization="Basic Zm9vOmJhcg==")
    bearer = await seat.get("/audit", Authorization="Bearer a.b.c")

    assert (basic.status, bearer.status) == (200, 303)


async def test_what_the_database_says_holds_from_the_next_request_on(
    database: Database, admin: str, seat: Seat
) -> None:
    """A session of the desk's lasts hours, and the right to sit there no longer than the role."""
    before = (await seat.get("/audit")).status
    await database.execute("UPDATE users SET role = 'user' WHERE clerk_id = $1", admin)
    after = await seat.get("/audit")

    assert (before, after.status) == (200, 403)
    assert "is no administrator here" in after.shown


async def test_an_end_at_clerk_is_an_end_here(database: Database, stranger: Seat) -> None:
    """Who signs out at Clerk, or is signed out there, is so at the desk."""
    admin = await insert_admin(database)
    await stranger.sign_in(admin)
    [session] = _sessions(stranger)
    await insert(
        database,
        "sessions",
        id=derive_id(session),
        clerk_id=session,
        user_id=derive_id(admin),
        status="revoked",
        created_at=BEGINNING,
        updated_at=BEGINNING,
    )
    answer = await stranger.get("/audit")

    assert (answer.status, answer.headers["Location"]) == (303, "/sign-in?back=%2Faudit")


def _sessions(seat: Seat) -> list[str]:
    """Return Clerk's ids of the sessions that are open at a desk."""
    found = seat.client.app[SESSIONS]._sessions.values()
    return [each.caller.session_id or "" for each in found]


async def test_clerks_cookie_is_enough(database: Database, stranger: Seat) -> None:
    """Where the browser has one for this origin, nobody signs in; nor out: that is Clerk's."""
    stranger.headers["Cookie"] = f"__session={make_token(await insert_admin(database))}"
    page = await stranger.get("/audit")

    assert page.status == 200
    assert "/sign-out" not in page.text


async def test_a_session_begins_with_a_pasted_token_and_ends(
    database: Database, stranger: Seat
) -> None:
    """Its cookie is for this site and this browser alone; afterwards it leads nowhere."""
    admin = await insert_admin(database)
    form = {"token": f"Bearer {make_token(admin)}\n", "back": "/audit?cursor="}
    begun = await stranger.post("/sign-in", form)
    cookie = begun.headers["Set-Cookie"]
    ended = await stranger.act("/audit", "/sign-out")
    stranger.headers["Cookie"] = cookie.partition(";")[0]
    again = await stranger.get("/audit")

    assert (begun.status, begun.headers["Location"]) == (303, "/audit?cursor=")
    assert all(each in cookie for each in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="))
    assert "Secure" not in cookie
    assert (ended.status, again.status) == (303, 303)


async def test_by_tls_the_cookie_goes_by_tls_only(
    bootstrap_servers: str, database_url: str, database: Database
) -> None:
    """And no neighbour on the domain can plant one."""
    origin = "https://desk.example.com"
    async with (
        serving_desk(bootstrap_servers, database_url, desk_origin=origin) as server,
        seated(server) as seat,
    ):
        form = {"token": make_token(await insert_admin(database))}
        begun = await seat.post("/sign-in", form, Origin=origin)

    assert begun.headers["Set-Cookie"].startswith("__Host-clerkwork_desk=")
    assert "; Secure" in begun.headers["Set-Cookie"]


@pytest.mark.parametrize("back", ["//evil.example", "/\\evil.example", "https://evil.example", "x"])
async def test_nobody_is_led_elsewhere(database: Database, stranger: Seat, back: str) -> None:
    """Where one wanted to is a path of the desk's, or its first page."""
    form = {"token": make_token(await insert_admin(database)), "back": back}

    assert (await stranger.post("/sign-in", form)).headers["Location"] == "/"


async def test_a_code_signs_in_once(database: Database, stranger: Seat) -> None:
    """A program with a token makes it; it waits for its user to become an administrator."""
    user = await insert_user(database)
    made = await stranger.client.post(
        "/sign-in/codes", headers={"Authorization": f"Bearer {make_token(user)}"}
    )
    said = await made.json()
    form = {"code": said["code"]}
    asked = await stranger.get(said["url"].removeprefix(stranger.origin))
    too_early = await stranger.post("/sign-in", form)
    await database.execute("UPDATE users SET role = 'admin' WHERE clerk_id = $1", user)
    begun = await stranger.post("/sign-in", form)
    again = await stranger.post("/sign-in", form)

    assert said["url"] == f"{stranger.origin}/sign-in?code={said['code']}"
    assert said["code"] in asked.text
    assert (too_early.status, begun.status, again.status) == (403, 303, 403)
    assert "is no administrator here" in too_early.shown
    assert said["code"] in too_early.text
    assert "used already" in again.shown
    assert said["code"] not in again.text


async def test_tries_to_sign_in_are_counted(bootstrap_servers: str, database_url: str) -> None:
    """Who guesses is turned away, with a page that says for how long."""
    limits = {"desk_rate_limits": "sign_in=2/minute/ip"}
    async with (
        serving_desk(bootstrap_servers, database_url, **limits) as server,
        seated(server) as seat,
    ):
        answers = [await seat.post("/sign-in", {"token": "a.b.c"}) for _ in range(3)]

    assert [answer.status for answer in answers] == [403, 403, 429]
    assert "Retry-After" in answers[-1].headers
    assert answers[-1].headers["Content-Type"].startswith("text/html")
