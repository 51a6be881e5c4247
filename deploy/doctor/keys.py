"""Clerk's keys: the signing secret, the public keys, the key of its Backend API."""

from __future__ import annotations

import time
from typing import Final

import aiohttp

from deploy.clerk.find import Instance, read_instance
from deploy.doctor.patient import AwayError, clerk, read
from deploy.doctor.verdict import Verdict, fine, skip, warn, wrong
from ingest.verify import TOLERANCE_S, build_webhooks
from schema.clerk.errors import ClerkError, ClerkRefusedError
from schema.clerk.settings import ClerkSettings
from schema.http.tokens.jwks import FETCH_ERRORS, fetch_jwks
from schema.http.tokens.keys import parse_jwks, parse_pem
from schema.http.tokens.settings import TokenSettings
from schema.ops.variables import find_variable

SECRET: Final = "CLERK_WEBHOOK_SIGNING_SECRET"  # noqa: S105 - the variable's name
NOTABLE_S: Final = 30.0
"""A clock that is off by more is worth a look; by TOLERANCE_S no webhook is accepted."""

KINDS: Final = {"sk_live_": "production", "sk_test_": "development"}
"""How a key begins -> the environment type of its instance."""


async def check_signing_secret() -> Verdict:
    """Look whether the secrets can be ones of Svix's; whether they are right, only Clerk knows."""
    secrets = [each.strip() for each in (find_variable(SECRET) or "").split(",") if each.strip()]
    if not secrets:
        return skip(f"{SECRET} is not set here.")
    try:
        build_webhooks(secrets)
    except ValueError:
        return wrong(
            f"One of the {len(secrets)} in {SECRET} is not whsec_ and base64.",
            "Copy it again: Clerk's dashboard, Webhooks, the endpoint, Signing Secret.",
        )
    return fine(f"{len(secrets)} well-formed")


async def check_public_keys() -> Verdict:
    """Look whether there is a public key that tokens can be verified with."""
    settings = read(TokenSettings, "CLERK_JWT_KEY or CLERK_JWKS_URL")
    if settings.clerk_jwt_key:
        return fine(f"an RSA key of {parse_pem(settings.clerk_jwt_key).key_size} bits, as PEM")
    if not settings.clerk_jwks_url:
        return skip(
            "Neither CLERK_JWT_KEY nor CLERK_JWKS_URL is set here.",
            "Set one: without, the API does not start and ingest takes no commands.",
        )
    try:
        async with aiohttp.ClientSession() as session:
            keys = parse_jwks(await fetch_jwks(session, str(settings.clerk_jwks_url)))
    except FETCH_ERRORS as error:
        return wrong(
            f"CLERK_JWKS_URL gives no keys ({type(error).__name__}).",
            "It is https://<your frontend API>/.well-known/jwks.json; see API keys in Clerk's"
            " dashboard.",
        )
    if not keys:
        return wrong("CLERK_JWKS_URL gives no RS256 key.", "See that it is your instance's.")
    return fine(f"{len(keys)} key{'s' if len(keys) > 1 else ''} fetched")


async def check_api_key() -> Verdict:
    """Look whether Clerk accepts the key, and whose it is."""
    key = read(ClerkSettings, "CLERK_SECRET_KEY").clerk_secret_key.get_secret_value()
    try:
        async with clerk() as asked:
            instance = await read_instance(asked)
    except ClerkError as error:
        if isinstance(error, ClerkRefusedError) and error.of_key:
            return wrong(
                f"Clerk does not accept CLERK_SECRET_KEY ({error.status}).",
                "Copy it again: Clerk's dashboard, API keys, Secret keys.",
            )
        return wrong(f"{error}.", "See CLERK_API_URL, and Clerk's status page.")
    return judge_instance(instance, key=key, expected=find_variable("CLERK_INSTANCE_ID"))


def judge_instance(instance: Instance, *, key: str, expected: str | None) -> Verdict:
    """Return whether an instance is the one that is served here, and of the kind of its key."""
    kind = next((kind for begins, kind in KINDS.items() if key.startswith(begins)), None)
    told = f"{instance.id}, {instance.environment_type}"
    if expected and expected != instance.id:
        return wrong(
            f"The key is of {instance.id}, CLERK_INSTANCE_ID is {expected}.",
            "Take the key of the instance whose webhooks come here, or correct CLERK_INSTANCE_ID.",
        )
    if kind != instance.environment_type:
        return warn(
            f"{told}, and the key begins with {key[:8]}.",
            "See that CLERK_SECRET_KEY and CLERK_API_URL belong together.",
        )
    return fine(told)


async def check_clerk_clock() -> Verdict:
    """Look how far our clock is from Clerk's, to the second."""
    async with clerk() as asked:
        try:
            answer = await asked.get("/instance")
        except ClerkError as error:
            raise AwayError(str(error)) from error
    return judge_clock(time.time() - answer.clock_ms / 1000, of="Clerk's")


def judge_clock(ahead_s: float, *, of: str) -> Verdict:
    """Return whether our clock, so far ahead, is near enough to another one."""
    off_s = abs(ahead_s)
    told = f"{off_s:.1f} s {'ahead of' if ahead_s > 0 else 'behind'} {of}"
    fix = "Let NTP set the clock of every machine."
    if off_s >= TOLERANCE_S:
        return wrong(f"{told}: webhooks are refused from {TOLERANCE_S} s on.", fix)
    return warn(told, fix) if off_s > NOTABLE_S else fine(told)
