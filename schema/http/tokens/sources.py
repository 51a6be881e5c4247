"""From settings to whom an application believes: the source of keys, opened and closed with it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import aiohttp
import structlog
from aiohttp import web

from schema.http.tokens.callers import AUTHENTICATOR, Authenticator
from schema.http.tokens.jwks import JwksKeys, fetch_jwks
from schema.http.tokens.keys import KeySource, PemKey, parse_pem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prometheus_client import Gauge

    from schema.http.tokens.settings import TokenSettings

log = structlog.get_logger(__name__)

KEYS: Final[web.AppKey[KeySource]] = web.AppKey("keys", KeySource)
"""Where probes find the source of an application's keys."""


def believe_tokens(app: web.Application, settings: TokenSettings, *, breaker: Gauge) -> None:
    """Give `app` its AUTHENTICATOR and KEYS from its start to its end; warn of lax settings.

    The settings have a source of keys. Nothing is fetched before the first caller comes; `breaker`
    shows while it is not tried because it failed.
    """

    async def keys_context(app: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as session:
            keys = app[KEYS] = choose_keys(settings, session)
            breaker.set_function(lambda: float(keys.failing))
            app[AUTHENTICATOR] = Authenticator(keys, settings.token_rules)
            yield

    app.cleanup_ctx.append(keys_context)
    _warn_of_unchecked_claims(settings)


def choose_keys(settings: TokenSettings, session: aiohttp.ClientSession) -> KeySource:
    """Return the PEM of the settings, else what fetches the set from the address in them."""
    if settings.clerk_jwt_key is not None:
        return PemKey(parse_pem(settings.clerk_jwt_key))
    return JwksKeys(partial(fetch_jwks, session, str(settings.clerk_jwks_url)))


def _warn_of_unchecked_claims(settings: TokenSettings) -> None:
    unset = [
        name
        for name, value in (
            ("CLERK_ISSUER", settings.clerk_issuer),
            ("CLERK_AUTHORIZED_PARTIES", settings.clerk_authorized_parties),
        )
        if not value
    ]
    if unset:
        log.warning("token_claims_unchecked", unset=unset)
