"""What nobody should send: each a 4xx in the envelope that names the field, never a 5xx."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
import pytest
from yarl import URL

from api.page import (
    HISTORY,
    POSTS,
    POSTS_OF_USER,
    SESSIONS,
    USERS,
    Cursor,
    encode_cursor,
    encode_position,
)
from tests.integration.api.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.page import Listing
    from tests.integration.api.conftest import Client, Serve

ID: Final = UUID("6f1c3f0e-6f0c-5b60-9a44-6b1f0d0c5a11")
AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
LISTS: Final[dict[str, Listing[Any]]] = {
    "/v1/users": USERS,
    "/v1/posts": POSTS,
    "/v1/users/user_1/posts": POSTS_OF_USER,
    "/v1/users/user_1/sessions": SESSIONS,
    "/v1/users/user_1/history": HISTORY,
}
SINGLES: Final = (
    "/v1/me",
    "/v1/users/user_1",
    "/v1/users/user_1/data",
    f"/v1/posts/{ID}",
    "/v1/organizations/org_1",
    "/v1/events/msg_1",
)
LIMITS: Final = (
    *("0", "-1", "101", "1000000000", "", "%20", "+5", "5.0", "1e1", "0x10", "05", "x"),
    *("%D9%A3", "%EF%BC%95", "%00", "9" * 400),
)
QUERIES: Final = (
    *((f"limit={limit}", "INVALID_LIMIT", "limit") for limit in LIMITS),
    ("limit=5&limit=5", "DUPLICATE_PARAMETER", "limit"),
    ("cursor=", "INVALID_CURSOR", "cursor"),
    ("cursor=abc", "INVALID_CURSOR", "cursor"),
    ("cursor=%FF%00", "INVALID_CURSOR", "cursor"),
    (f"cursor={'A' * 5000}", "INVALID_CURSOR", "cursor"),
    (f"cursor={encode_position(7)}", "INVALID_CURSOR", "cursor"),
    ("cursor=BQAAAAAAAAAAAGE", "INVALID_CURSOR", "cursor"),  # NUL in an id of an event
    ("offset=5", "UNKNOWN_PARAMETER", "offset"),
    ("Limit=5", "UNKNOWN_PARAMETER", "Limit"),
    ("limit%5B%5D=5", "UNKNOWN_PARAMETER", "limit[]"),
)
PATHS: Final = {
    "/v1/users/{}": (
        *(
            "7",
            "me",
            "org_1",
            "msg_1",
            "user_",
            "USER_1",
            "user_%00",
            "%FF",
            "%zz",
            "user_1%2F",
            "%",
        ),
        *(ID.hex, f"%7B{ID}%7D", f"urn:uuid:{ID}", f"{ID}%0A", "user_" + "a" * 129),
        *("%D9%A3", "user_%C3%A9", "..%2F..%2Fme", "a%2Fb", "user_1;x=1", "user_1'--"),
    ),
    "/v1/posts/{}": ("7", "user_1", "post_1", "%FF", "%zz", "%00", ID.hex, f"{ID}%20"),
    "/v1/organizations/{}": ("7", "user_1", "org_", "%FF", "%00", "org_" + "a" * 129, ID.hex),
    "/v1/events/{}": ("%00", "%20", "msg_%C3%A9", "a" * 129, "msg_1%0A", "%D9%A3"),
}


@pytest.fixture(scope="module")
async def client(serve: Serve, shared_database_url: str) -> AsyncIterator[Client]:
    """Serve the API over a database with one user."""
    connection = await asyncpg.connect(shared_database_url)
    await World(connection).user("user_1")
    await connection.close()
    async with serve(shared_database_url) as client:
        yield client


async def refuse(client: Client, url: str, code: str, field: str) -> None:
    """Ask, and check that the answer is a 400 that names the field."""
    # Encoded: as it is written here, and not as a client would mend it.
    response = await client.get(URL(url, encoded=True), by="user_1")  # type: ignore[arg-type]  # aiohttp takes both
    body = await response.json()

    assert (response.status, body["error"]["code"]) == (400, code), url
    assert body["error"]["details"] == {"field": field}, url


@pytest.mark.parametrize("path", LISTS)
async def test_a_bad_query_of_a_list_is_refused(client: Client, path: str) -> None:
    """The same way everywhere."""
    for query, code, field in QUERIES:
        await refuse(client, f"{path}?{query}", code, field)


@pytest.mark.parametrize("path", LISTS)
async def test_a_cursor_of_another_list_is_refused(client: Client, path: str) -> None:
    """It would be a place in another order."""
    for other, listing in LISTS.items():
        row_id = "msg_1" if listing is HISTORY else ID
        cursor = encode_cursor(listing, Cursor(at=AT, id=row_id))
        if other == path:
            response = await client.get(f"{path}?cursor={cursor}", by="user_1")
            assert response.status == 200
        else:
            await refuse(client, f"{path}?cursor={cursor}", "INVALID_CURSOR", "cursor")


@pytest.mark.parametrize("path", SINGLES)
async def test_a_parameter_that_nobody_reads_is_refused(client: Client, path: str) -> None:
    """Who wrote it thinks that it does something."""
    await refuse(client, f"{path}?limit=5", "UNKNOWN_PARAMETER", "limit")
    await refuse(client, f"{path}?{'x' * 5000}=", "UNKNOWN_PARAMETER", "x" * 64)


@pytest.mark.parametrize("route", PATHS)
async def test_an_id_of_the_wrong_kind_is_refused(client: Client, route: str) -> None:
    """Also what is not UTF-8, or is escaped wrongly."""
    for row_id in PATHS[route]:
        await refuse(client, route.format(row_id), "INVALID_ID", "id")


@pytest.mark.parametrize("part", ["posts", "data", "sessions", "history"])
async def test_an_id_of_the_wrong_kind_is_refused_on_the_way_too(client: Client, part: str) -> None:
    """Before anybody is told what they may not see."""
    for row_id in PATHS["/v1/users/{}"]:
        await refuse(client, f"/v1/users/{row_id}/{part}", "INVALID_ID", "id")


@pytest.mark.parametrize("path", [*LISTS, *SINGLES])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_is_written_here(client: Client, path: str, method: str) -> None:
    """Commands go in by the other door."""
    response = await client.get(path, by="user_1", method=method)

    assert response.status == 405
    assert response.headers["Allow"] == "GET,HEAD"


@pytest.mark.parametrize("path", [*LISTS, *SINGLES])
@pytest.mark.parametrize("value", ["", "x", '"', "W/", '"a", ,"b"', "\x80", "é", "x" * 7000])
async def test_a_header_that_cannot_be_read_is_ignored(
    client: Client, path: str, value: str
) -> None:
    """A condition that names no tag is none."""
    plain = await client.get(path, by="user_1")
    asked = await client.get(path, by="user_1", If_None_Match=value, Prefer=f"wait={value}")

    assert asked.status == plain.status
