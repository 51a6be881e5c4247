"""Step 1: Clerk's key is accepted, and its instance known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from deploy.clerk.find import read_instance
from deploy.connect.visit import KEY, StepError, Visit, remember
from deploy.doctor.keys import judge_instance
from deploy.doctor.verdict import Status
from schema.clerk.client import opened_clerk
from schema.clerk.errors import ClerkError, ClerkRefusedError, NotAtClerkError
from schema.clerk.settings import REQUESTS_PER_10_S, ClerkSettings
from schema.ops.settings import read_settings
from schema.ops.variables import find_variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.clerk.find import Instance
    from schema.clerk.client import Clerk

PATIENCE_S: Final = 10.0
_SOURCES: Final = ("CLERK_JWT_KEY", "CLERK_JWKS_URL")
_WHERE: Final = "Clerk's dashboard, API keys, Secret keys"


class _Domain(msgspec.Struct, frozen=True, kw_only=True):
    frontend_api_url: str = ""
    is_satellite: bool = False


class _Domains(msgspec.Struct, frozen=True, kw_only=True):
    data: list[_Domain]


async def check_keys(visit: Visit) -> Instance:
    """Return the instance of the key, which is asked for where it is not set. Raises StepError."""
    if not find_variable(KEY):
        remember(KEY, _ask_key(visit))
        visit.tell(f"Set {KEY} where backfill and reconcile are to run: it is kept nowhere.")
    settings = read_settings(ClerkSettings)
    try:
        async with opened_clerk(settings, patience_s=PATIENCE_S) as clerk:
            instance = await read_instance(clerk)
            issuer = await _find_issuer(clerk)
    except ClerkError as error:
        if isinstance(error, ClerkRefusedError) and error.of_key:
            raise StepError(
                f"Clerk does not accept {KEY} ({error.status}). Copy it again: {_WHERE}."
            ) from error
        raise StepError(
            f"{error}, asked at {settings.clerk_api_url}. Is CLERK_API_URL right?"
        ) from error
    _judge(visit, instance, key=settings.clerk_secret_key.get_secret_value())
    _suggest(visit, _missing_lines(instance, issuer))
    return instance


def _ask_key(visit: Visit) -> str:
    key = visit.person.ask_secret(
        f"The secret key of your instance ({_WHERE})", instead=f"set {KEY}"
    )
    if not key.startswith(tuple(REQUESTS_PER_10_S)):
        raise StepError(
            f"That is no secret key: it begins with sk_live_ or sk_test_. See {_WHERE}."
        )
    return key


def _judge(visit: Visit, instance: Instance, *, key: str) -> None:
    verdict = judge_instance(instance, key=key, expected=find_variable("CLERK_INSTANCE_ID"))
    if verdict.status is Status.WRONG:
        raise StepError(f"{verdict.found} {verdict.fix}")
    visit.done(f"Clerk accepts {KEY}: {instance.environment_type} instance {instance.id}.")
    if verdict.status is Status.WARNING:
        visit.tell(f"{verdict.found} {verdict.fix}")


async def _find_issuer(clerk: Clerk) -> str | None:
    """Return the frontend API of the instance, which its tokens name; None where Clerk is silent.

    The Backend API's document, ListDomains: the one that is no satellite is the primary.
    """
    try:
        answer = await clerk.get("/domains")
        domains = msgspec.json.decode(answer.body, type=_Domains).data
    except (ClerkRefusedError, NotAtClerkError, msgspec.DecodeError):
        return None
    primary = [each.frontend_api_url for each in domains if not each.is_satellite]
    return primary[0].rstrip("/") if len(primary) == 1 and primary[0] else None


def _missing_lines(instance: Instance, issuer: str | None) -> Sequence[str]:
    lines = {"CLERK_INSTANCE_ID": instance.id}
    if issuer:
        if not find_variable("CLERK_JWT_KEY"):
            lines["CLERK_JWKS_URL"] = f"{issuer}/.well-known/jwks.json"
        lines["CLERK_ISSUER"] = issuer
    return [f"{name}={value}" for name, value in lines.items() if not find_variable(name)]


def _suggest(visit: Visit, lines: Sequence[str]) -> None:
    if not any(find_variable(name) or _names(name, lines) for name in _SOURCES):
        visit.tell(
            "CLERK_JWKS_URL is not set: https://<your frontend API>/.well-known/jwks.json, as the"
            " dashboard shows it under API keys. The API does not start without."
        )
    elif not lines:
        visit.done("CLERK_INSTANCE_ID and the source of public keys are set.")
    if lines:
        _tell_lines(visit, lines)


def _names(name: str, lines: Sequence[str]) -> bool:
    return any(line.startswith(f"{name}=") for line in lines)


def _tell_lines(visit: Visit, lines: Sequence[str]) -> None:
    visit.tell("These belong into the environment of ingest and api:")
    for line in lines:
        visit.tell(line, indent="      ")
