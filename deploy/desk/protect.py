"""Protect changes: a form is taken only from the desk's own pages. No I/O.

Cookies are SameSite=Strict besides.
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELD: Final = "form_token"
"""The hidden field of every form."""

_KEY: Final = secrets.token_bytes(32)

_ELSEWHERE: Final = (
    "This form was not sent from a page of the desk. Open the desk itself, and try again."
)
_STALE: Final = (
    "The page is from another session. Go back, load it again, and send the form once more."
)


def demand_own_origin(headers: Mapping[str, str], *, own: str) -> None:
    """Go on where a browser says that a page of the origin `own` sends this. Raises HttpError 403.

    With `Referrer-Policy: no-referrer` a form's Origin is `null` (Fetch standard §3.2, appending an
    Origin header): then Sec-Fetch-Site, which no page can write, has to say it.
    """
    origin, site = headers.get("Origin", "null"), headers.get("Sec-Fetch-Site")
    if site not in {None, "same-origin"} or not (origin == own or (origin == "null" and site)):
        raise HttpError("FORBIDDEN", _ELSEWHERE)


def form_token(identity: str) -> str:
    """Return what the forms of a session carry; good while this process runs."""
    return hmac.new(_KEY, identity.encode(), hashlib.sha256).hexdigest()


def demand_form_token(said: object, *, identity: str) -> None:
    """Go on where the form has been made for this session. Raises HttpError 403."""
    expected = form_token(identity).encode()
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(), expected):
        raise HttpError("FORBIDDEN", _STALE)
