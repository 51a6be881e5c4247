"""Step 2: a public URL that leads to our ingest, proved by how it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from yarl import URL

from deploy.connect.tunnels import describe_tunnels
from deploy.connect.visit import StepError
from ingest.receive import PATH
from ingest.settings import IngestSettings
from schema.ops.variables import find_variable

if TYPE_CHECKING:
    from deploy.connect.visit import Visit

MOST_TRIES: Final = 5
"""How often an address is asked for."""

MOST_BYTES: Final = 64 * 1024
"""More of a stranger's answer is not read."""


async def find_door(visit: Visit) -> str:
    """Return the URL that Clerk is to send webhooks to. Raises StepError."""
    if visit.wishes.url:
        return await _try(visit, visit.wishes.url)
    visit.tell("Clerk has to reach ingest from the internet. From this machine, for a trial, by")
    for line in describe_tunnels(ingest_port()):
        visit.tell(line)
    for _ in range(MOST_TRIES - 1):
        try:
            return await _try(visit, _ask(visit))
        except StepError as error:
            visit.tell(str(error))
    return await _try(visit, _ask(visit))


def ingest_port() -> int:
    """Return the port of an ingest on this machine."""
    text = find_variable("INGEST_PORT") or ""
    return int(text) if text.isdecimal() else IngestSettings.model_fields["ingest_port"].default


def _ask(visit: Visit) -> str:
    return visit.person.ask("The public address, https://…", instead="say --url")


async def _try(visit: Visit, text: str) -> str:
    url = complete(text)
    await prove_door(url)
    visit.done(f"{url} leads to an ingest of clerkwork.")
    if url.startswith("http://"):
        visit.tell("It is not https: that is good for trials on this machine only.")
    return url


def complete(text: str) -> str:
    """Return the URL of webhooks below a public address. Raises StepError."""
    try:
        url = URL(text.strip())
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise StepError(f"{text!r} is no address: it begins with https:// and a host.")
    plain = url.with_query(None).with_fragment(None).with_user(None)
    path = plain.path.rstrip("/")
    return str(plain.with_path(path if path.endswith(PATH) else path + PATH))


async def prove_door(url: str) -> None:
    """Return when an unsigned POST there is refused as ingest refuses. Raises StepError."""
    timeout = aiohttp.ClientTimeout(total=10)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(
                url,
                data=b"{}",
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response,
        ):
            body = await _read_json(response)
            status, place = response.status, response.headers.get("Location", "")
    except aiohttp.ClientSSLError as error:
        raise StepError(
            f"{url} is reached, and not by TLS ({type(error).__name__}): either it speaks none, as"
            " ingest itself does not, or its certificate is not to be trusted."
        ) from error
    except (aiohttp.ClientError, OSError) as error:
        raise StepError(
            f"Nobody answers at {url} ({type(error).__name__}). Is the tunnel up, and the address"
            " the one that it has now?"
        ) from error
    judge_refusal(url, status=status, body=body, location=place)


async def _read_json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    text = await response.content.read(MOST_BYTES)
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def judge_refusal(url: str, *, status: int, body: dict[str, Any], location: str = "") -> None:
    """Return where an answer is the refusal of our ingest. Raises StepError that explains."""
    error = body.get("error")
    code = error.get("code") if isinstance(error, dict) and "requestId" in error else None
    if (status, code) == (400, "MISSING_HEADER"):
        return
    if status in {301, 302, 303, 307, 308}:
        raise StepError(
            f"{url} redirects ({status}) to {location[:200]}, and Clerk follows no redirects: take"
            " the address in the end, or let that path pass without a sign-in."
        )
    if code == "RATE_LIMITED":
        raise StepError("Ingest holds this machine off for a minute: too many were refused. Wait.")
    if code is not None:
        raise StepError(
            f"{url} leads to clerkwork, not to its door for webhooks ({status} {code}). Is it the"
            " port of ingest that the tunnel goes to?"
        )
    if status in {502, 503, 504, 530}:
        raise StepError(
            f"The tunnel at {url} answers {status}: it reaches no ingest. Is ingest up, and the"
            " port of the tunnel right?"
        )
    raise StepError(
        f"{url} leads to something that is not clerkwork's ingest: it answers {status} to an"
        " unsigned webhook, not 400 MISSING_HEADER. Is the port of the tunnel right, and does no"
        " page or sign-in of its own stand before?"
    )
