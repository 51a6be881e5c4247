"""Serve the desk in a test, and sit at it: as a browser would, without one."""

from __future__ import annotations

import html
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from aiohttp import CookieJar
from aiohttp.test_utils import TestClient
from pydantic import SecretStr

from deploy.desk.app import build_desk
from deploy.desk.settings import BrowserDeskSettings
from deploy.tokens import ISSUER, mint_token, new_private_key, public_key
from tests.rows import insert_user
from tests.serving import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import asyncpg
    from aiohttp import ClientResponse

    Database = asyncpg.Connection[asyncpg.Record]

_FORM_TOKEN: Final = re.compile(r'name="form_token" value="([0-9a-f]{64})"')
PLAIN: Final[Mapping[str, object]] = {"clerk_issuer": ISSUER, "desk_rate_limits": "off"}


@cache
def private_key() -> str:
    """Return the key that signs the tokens of all desks of a run."""
    return new_private_key()


def make_token(user: str, **claims: Any) -> str:
    """Return a session token of a user that the desk believes."""
    return mint_token(private_key(), user_id=user, minutes=5, **claims)


@dataclass
class Answer:
    """What the desk answered, with its text."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def shown(self) -> str:
        """What is to be read, without its tags."""
        return html.unescape(re.sub(r"<[^>]*>", " ", self.text))

    @property
    def form_token(self) -> str:
        """What its forms carry."""
        found = _FORM_TOKEN.search(self.text)
        assert found, self.shown
        return found[1]


@dataclass
class Seat:
    """A browser at the desk: with cookies of its own."""

    client: TestClient[Any, Any]
    headers: dict[str, str] = field(default_factory=dict)
    """Sent always."""

    @property
    def origin(self) -> str:
        """Where the desk is."""
        return str(self.client.make_url("")).rstrip("/")

    async def get(self, path: str, **headers: str) -> Answer:
        """Ask for a page; redirects are not followed."""
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        return await _answer(await self.client.get(path, headers=sent, allow_redirects=False))

    async def post(self, path: str, form: Mapping[str, Any], **headers: str) -> Answer:
        """Send a form as a browser does from a page of the desk's."""
        own = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in (self.headers | own | said).items() if value}
        response = await self.client.post(path, data=form, headers=sent, allow_redirects=False)
        return await _answer(response)

    async def sign_in(self, user: str) -> None:
        """Begin a session of the desk's."""
        answer = await self.post("/sign-in", {"token": make_token(user)})
        assert answer.status == 303, answer.shown

    async def act(self, page: str, path: str, **form: Any) -> Answer:
        """Send a form with the token of a page."""
        token = (await self.get(page)).form_token
        return await self.post(path, form | {"form_token": token})

    async def follow(self, answer: Answer) -> Answer:
        """Return the page that an answer leads to."""
        assert answer.status == 303, answer.shown
        where = urlsplit(answer.headers["Location"])
        return await self.get(where._replace(scheme="", netloc="").geturl())


async def _answer(response: ClientResponse) -> Answer:
    return Answer(response.status, response.headers, await response.text())


@asynccontextmanager
async def serving_desk(
    bootstrap_servers: str, database_url: str, **settings: Any
) -> AsyncIterator[Server]:
    """Serve a desk on both servers while the context lasts."""
    configured = BrowserDeskSettings(
        kafka_bootstrap_servers=bootstrap_servers,
        database_url=SecretStr(database_url),
        clerk_jwt_key=public_key(private_key()),
        **{**PLAIN, **settings},
    )
    server = Server(build_desk(configured), configured)
    async with server:
        yield server


@asynccontextmanager
async def seated(server: Server) -> AsyncIterator[Seat]:
    """Sit down at a desk, signed in as nobody."""
    # The address is an IP: a jar keeps no cookies of those unless it is told to.
    client = TestClient[Any, Any](server, cookie_jar=CookieJar(unsafe=True))
    try:
        yield Seat(client)
    finally:
        await client.session.close()


async def insert_admin(database: Database) -> str:
    """Insert an administrator, and return the clerk id."""
    return await insert_user(database, role="admin")
