"""`/v1/me` and `/v1/users/{id}` over a real database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, uuid5

import pytest

from api.present import FULL, PUBLIC
from schema.postgres.ids import derive_id

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from tests.integration.api.conftest import Client, Users

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DELETION: Final[dict[str, Any]] = {
    "status": "deleted",
    "deleted_at": datetime(2026, 2, 1, 0, 0, 0, 123_000, tzinfo=UTC),
    "deletion_event_id": "msg_2",
}
"""A deletion."""


async def test_me_is_the_caller_in_full(client: Client, users: Users) -> None:
    """Everything we have, in the one place where it is nobody else's business."""
    await users.add("user_1", public_metadata='{"plan": "pro"}', version=1_767_312_000_123)

    response = await client.get("/v1/me", by="user_1")

    assert response.status == 200
    assert response.content_type == "application/json"
    body = await response.json()
    assert set(body) == set(FULL)
    assert body["id"] == str(derive_id("user_1"))
    assert body["email"] == "user_1@example.com"
    assert body["public_metadata"] == {"plan": "pro"}
    assert body["created_at"] == "2026-01-01T00:00:00.000Z"
    assert body["version"] == 1_767_312_000_123


async def test_the_cookie_is_as_good_as_the_header(client: Client, users: Users) -> None:
    """Browsers send `__session` by themselves."""
    await users.add("user_1")

    response = await client.get("/v1/me", Cookie=f"__session={client.token('user_1')}")

    assert response.status == 200


@pytest.mark.parametrize("clerk_id", ["user_2", str(derive_id("user_2"))])
async def test_others_are_public_profiles(client: Client, users: Users, clerk_id: str) -> None:
    """By Clerk's id or by ours."""
    await users.add("user_1")
    await users.add("user_2")

    response = await client.get(f"/v1/users/{clerk_id}", by="user_1")

    body = await response.json()
    assert set(body) == set(PUBLIC)
    assert body["clerk_id"] == "user_2"


async def test_one_sees_oneself_in_full_by_id_too(client: Client, users: Users) -> None:
    """The same user is the same whichever way one asks."""
    await users.add("user_1")

    by_id = await client.get("/v1/users/user_1", by="user_1")
    me = await client.get("/v1/me", by="user_1")

    assert await by_id.read() == await me.read()


async def test_an_administrator_sees_everything(client: Client, users: Users) -> None:
    """By the role in the database."""
    await users.add("user_1", role="admin")
    await users.add("user_2")

    response = await client.get("/v1/users/user_2", by="user_1")

    assert (await response.json())["email"] == "user_2@example.com"


async def test_a_role_in_the_token_is_no_role(client: Client, users: Users) -> None:
    """Claims are up to a minute old, and templates can put anything into them."""
    await users.add("user_1")
    await users.add("user_2")
    token = client.token("user_1", role="admin", public_metadata={"role": "admin"})

    response = await client.get("/v1/users/user_2", Authorization=f"Bearer {token}")

    assert set(await response.json()) == set(PUBLIC)


@pytest.mark.parametrize("status", ["pending", "deleted"])
async def test_pending_and_deleted_users_are_absent(
    client: Client, users: Users, status: str
) -> None:
    """Except for administrators."""
    await users.add("user_1")
    await users.add("user_2", status=status, created_at=None, email=None, deleted_at=EPOCH)
    await users.add("user_3", role="admin")

    hidden = await client.get("/v1/users/user_2", by="user_1")
    shown = await client.get("/v1/users/user_2", by="user_3")

    assert (hidden.status, await code(hidden)) == (404, "USER_NOT_FOUND")
    body = await shown.json()
    assert (body["status"], body["created_at"], body["version"]) == (status, None, 0)


async def test_whose_data_is_held_back_is_as_gone_as_the_erased(
    client: Client, users: Users
) -> None:
    """To everybody and to administrators; the answer is the same once the data is erased."""
    await users.add("user_1")
    await users.add("user_2", role="admin")
    await users.add(
        "user_3",
        **DELETION,
        role="admin",
        public_metadata='{"role": "admin"}',
        held_status="active",
        erase_at=datetime.now(UTC),
    )
    path = "/v1/users/user_3"

    hidden = await client.get(path, by="user_1")
    own = await client.get("/v1/me", by="user_3")
    held = await client.get(path, by="user_2")
    listed = await (await client.get("/v1/users", by="user_2")).json()
    await users.connection.execute("DELETE FROM users WHERE clerk_id = 'user_3'")
    await users.add(
        "user_3",
        **DELETION,
        email=None,
        first_name=None,
        created_at=None,
        version=1_769_904_000_123,
    )
    erased = await client.get(path, by="user_2", If_None_Match=held.headers["ETag"])

    assert (hidden.status, await code(hidden)) == (404, "USER_NOT_FOUND")
    assert (own.status, await code(own)) == (403, "USER_DELETED")
    assert {user["clerk_id"] for user in listed["data"]} == {"user_1", "user_2"}
    assert (held.status, erased.status) == (200, 304)
    assert b"Ada" not in await held.read()


@pytest.mark.parametrize("user_id", ["user_2", str(uuid5(NAMESPACE_URL, "nobody"))])
async def test_who_is_not_there_is_not_found(client: Client, users: Users, user_id: str) -> None:
    """Whichever way one asks."""
    await users.add("user_1")

    response = await client.get(f"/v1/users/{user_id}", by="user_1")

    assert (response.status, await code(response)) == (404, "USER_NOT_FOUND")
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize("path", ["/v1/me", "/v1/users/user_1"])
@pytest.mark.parametrize("seen", [False, True])
async def test_a_caller_can_be_faster_than_the_webhook(
    client: Client, users: Users, path: str, *, seen: bool
) -> None:
    """No row yet, or one that was only referred to: come back in a second."""
    if seen:
        await users.add("user_1", status="pending", created_at=None)

    response = await client.get(path, by="user_1")

    assert (response.status, await code(response)) == (404, "USER_NOT_FOUND")
    assert response.headers["Retry-After"] == "1"
    assert "webhook" in (await response.json())["error"]["message"]


async def test_a_caller_without_a_row_sees_others(client: Client, users: Users) -> None:
    """The token says who they are; that is enough for a public profile."""
    await users.add("user_2")

    response = await client.get("/v1/users/user_2", by="user_1")

    assert set(await response.json()) == set(PUBLIC)


@pytest.mark.parametrize("path", ["/v1/me", "/v1/users", "/v1/users/user_2", "/v1/users/user_9"])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("banned", "USER_BANNED"),
        ("deleted", "USER_DELETED"),
        ("deprovisioned", "USER_DEPROVISIONED"),
    ],
)
async def test_who_was_shut_out_stays_out(
    client: Client, users: Users, path: str, status: str, expected: str
) -> None:
    """Although the token is good for another minute, and whatever the role was."""
    await users.add("user_1", status=status, role="admin")
    await users.add("user_2")

    response = await client.get(path, by="user_1")

    assert (response.status, await code(response)) == (403, expected)


async def test_an_id_of_another_form_is_refused(client: Client) -> None:
    """Naming the field, before the database is asked."""
    for path in ("/v1/users/7", "/v1/users/%7Bid%7D", "/v1/users/a%2Fb", "/v1/users/%00"):
        response = await client.get(path, by="user_1")

        assert (response.status, await code(response)) == (400, "INVALID_ID")
        assert (await response.json())["error"]["details"] == {"field": "id"}


async def test_what_did_not_change_is_not_sent_again(client: Client, users: Users) -> None:
    """ETag and If-None-Match; a change of the row ends it."""
    await users.add("user_1")
    first = await client.get("/v1/me", by="user_1")
    etag = first.headers["ETag"]

    again = await client.get("/v1/me", by="user_1", If_None_Match=f'"other", W/{etag}')
    anything = await client.get("/v1/me", by="user_1", If_None_Match="*")
    await users.connection.execute("UPDATE users SET first_name = 'Grace'")
    changed = await client.get("/v1/me", by="user_1", If_None_Match=etag)

    assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", etag)
    assert anything.status == 304
    assert changed.status == 200
    assert changed.headers["ETag"] != etag
    for response in (first, again, changed):
        assert response.headers["Cache-Control"] == "private, no-cache"


async def test_the_tag_tells_views_apart(client: Client, users: Users) -> None:
    """What one caller's cache holds is not valid for another who sees more."""
    await users.add("user_1")
    await users.add("user_2")
    own = await client.get("/v1/users/user_1", by="user_1")

    others = await client.get("/v1/users/user_1", by="user_2", If_None_Match=own.headers["ETag"])

    assert others.status == 200


@pytest.mark.parametrize("path", ["/v1/me", "/v1/users", "/v1/users/user_1"])
async def test_head_is_get_without_a_body(client: Client, users: Users, path: str) -> None:
    """The same status and headers."""
    await users.add("user_1")

    full = await client.get(path, by="user_1")
    head = await client.get(path, by="user_1", method="HEAD")

    assert (head.status, await head.read()) == (200, b"")
    for name in ("Content-Length", "Content-Type", "Cache-Control"):
        assert head.headers[name] == full.headers[name]
    assert head.headers.get("ETag") == full.headers.get("ETag")


async def code(response: ClientResponse) -> str:
    """Return the code in the envelope."""
    return (await response.json())["error"]["code"]
