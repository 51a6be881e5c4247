"""Our processes on this machine: whether they live, and whether they are ready."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from api.settings import ApiSettings
from deploy.doctor.verdict import Verdict, fine, skip, warn, wrong
from ingest.settings import IngestSettings
from schema.ops.variables import find_variable
from workers.relay.settings import RelaySettings
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_settings import BaseSettings

ANSWER_S: Final = 3.0
"""More than a probe takes for its own checks."""

EVERYWHERE: Final = ("0.0.0.0", "::", "")  # noqa: S104 - not to listen there, but to ask here


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a process serves its probes."""

    process: str
    settings: type[BaseSettings]
    host: str
    port: str
    """The variables."""

    def url(self) -> str:
        """Return where it is by the environment, or by default."""
        host = find_variable(self.host.upper()) or self.settings.model_fields[self.host].default
        port = find_variable(self.port.upper()) or self.settings.model_fields[self.port].default
        host = "127.0.0.1" if host in EVERYWHERE else host
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _place(process: str, settings: type[BaseSettings], prefix: str) -> Place:
    return Place(process=process, settings=settings, host=f"{prefix}_host", port=f"{prefix}_port")


PLACES: Final[Mapping[str, Place]] = {
    "ingest": _place("ingest", IngestSettings, "ingest"),
    "worker": _place("worker", WorkerSettings, "worker_metrics"),
    "relay": _place("relay", RelaySettings, "relay_metrics"),
    "API": _place("api", ApiSettings, "api"),
}


async def check_process(place: Place) -> Verdict:
    """Look whether a process is here, lives and is ready."""
    url = place.url()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S)) as session:
            live, ready = await asyncio.gather(
                _ask(session, f"{url}/livez"), _ask(session, f"{url}/readyz")
            )
    except aiohttp.ClientConnectorError:
        return skip(f"Nobody listens on {url}; it may run on another machine.")
    except (aiohttp.ClientError, aiohttp.InvalidURL, ValueError):
        return warn(
            f"{url} is not one of ours.",
            f"See what has the port, or set {place.port.upper()}.",
        )
    except TimeoutError:
        return wrong(f"{url} does not answer within {ANSWER_S:.0f} s.", _again(place))
    return judge_process(live, ready, place=place)


async def _ask(session: aiohttp.ClientSession, url: str) -> Mapping[str, str]:
    """Return what is not well, by check. Raises ClientError where that is not one of ours."""
    async with session.get(url, allow_redirects=False) as response:
        answer: Any = await response.json()
        checks = answer.get("checks") if isinstance(answer, dict) else None
        if not isinstance(checks, dict):
            raise aiohttp.ClientPayloadError
        if response.status == 200:
            return {}
        return {str(name)[:40]: str(words)[:120] for name, words in list(checks.items())[:10]}


def judge_process(live: Mapping[str, str], ready: Mapping[str, str], *, place: Place) -> Verdict:
    """Return whether a process lives and is ready; both have what is not well, if anything."""
    if live:
        return wrong(f"It should be started anew: {_tell(live)}.", _again(place))
    if ready:
        return wrong(f"Not ready: {_tell(ready)}.", f"curl -s {place.url()}/readyz; then its log.")
    return fine("lives, and is ready")


def _again(place: Place) -> str:
    return f"Start clerkwork {place.process} again; nothing is lost."


def _tell(checks: Mapping[str, str]) -> str:
    bad = {name: words for name, words in checks.items() if words != "ok"}
    return ", ".join(f"{name}: {words}" for name, words in (bad or checks).items())
