"""Sign in with a token of Clerk's, or with a code that was made with one; and out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from deploy.desk.admit import cookie_name, demand_standing
from deploy.desk.models.frame import SignInPage
from deploy.desk.sessions import SESSION_S, SESSIONS
from deploy.desk.show import PAGES, Page, go_to
from deploy.desk.stand import FORM, own_origin
from schema.http.errors import HttpError
from schema.http.tokens.callers import AUTHENTICATOR
from schema.http.tokens.claims import UnauthenticatedError

if TYPE_CHECKING:
    from multidict import MultiMapping

    from schema.http.tokens.claims import Caller

log = structlog.get_logger(__name__)

MOST_OF_TOKEN: Final = 16 * 1024
"""No session token is longer."""

_SPENT: Final = "This code was used already, or is too old. Paste a token instead."
_BEARER: Final = re.compile(r"bearer\s+", re.IGNORECASE)
# A path of ours: a browser takes // and /\ for the beginning of another host.
_BACK: Final = re.compile(r"/(?![/\\])[^\s\\]{0,2000}")


async def show_sign_in(request: web.Request) -> web.Response:
    """Ask for a token; with a code in the address, only for a yes."""
    return _ask(request, request.query, problem="", status=200)


async def sign_in(request: web.Request) -> web.Response:
    """Begin a session for an administrator, and go where they wanted to."""
    form = request[FORM]
    try:
        caller = await _believe(request, form)
        await demand_standing(request.app, caller)
    except HttpError as error:
        if error.status not in {401, 403}:
            raise
        return _refuse(request, form, error)
    if (code := form.get("code")) and request.app[SESSIONS].take_code(code) is None:
        return _refuse(request, form, HttpError("FORBIDDEN", _SPENT))  # somebody was quicker
    session = request.app[SESSIONS].open(caller)
    log.info("signed_in", user_id=caller.clerk_id)
    response = go_to(_read_back(form))
    secure = _is_secure(request)
    response.set_cookie(
        cookie_name(secure=secure),
        session.id,
        max_age=int(SESSION_S),
        path="/",
        secure=secure,
        httponly=True,
        samesite="Strict",
    )
    return response


async def sign_out(request: web.Request) -> web.Response:
    """End the desk's own session; one of Clerk's is Clerk's to end."""
    name = cookie_name(secure=_is_secure(request))
    request.app[SESSIONS].end(request.cookies.get(name, ""))
    response = go_to("/sign-in")
    response.del_cookie(
        name, path="/", secure=_is_secure(request), httponly=True, samesite="Strict"
    )
    return response


async def make_code(request: web.Request) -> web.Response:
    """Answer a program that has a token with an address that signs its user in, once."""
    if "Authorization" not in request.headers:
        raise UnauthenticatedError("missing")
    caller = await request.app[AUTHENTICATOR].authenticate(request)
    code = request.app[SESSIONS].make_code(caller)
    origin = own_origin(request, request.app[ORIGIN])
    return web.json_response({"code": code, "url": f"{origin}/sign-in?code={code}"})


async def _believe(request: web.Request, form: MultiMapping[str]) -> Caller:
    if code := form.get("code", ""):
        caller = request.app[SESSIONS].find_code(code)
        if caller is None:
            raise HttpError("FORBIDDEN", _SPENT)
        return caller
    token = _BEARER.sub("", form.get("token", "").strip(), count=1)
    if not token or len(token) > MOST_OF_TOKEN:
        raise UnauthenticatedError("missing" if not token else "malformed")
    return await request.app[AUTHENTICATOR].believe(token, machines=False)


def _refuse(request: web.Request, form: MultiMapping[str], error: HttpError) -> web.Response:
    """Ask once more; a code that is good still is so when its user has become an administrator."""
    log.info("sign_in_refused", code=error.code)
    said = {"back": form.get("back", "")}
    code = form.get("code", "")
    if request.app[SESSIONS].find_code(code):
        said["code"] = code
    return _ask(request, said, problem=error.message, status=403)


def _ask(
    request: web.Request, said: MultiMapping[str] | dict[str, str], *, problem: str, status: int
) -> web.Response:
    page = SignInPage(problem=problem, code=said.get("code", "")[:100], back=_read_back(said))
    return request.app[PAGES].show(
        request, Page(template="sign_in.html", model=page, status=status)
    )


def _read_back(said: MultiMapping[str] | dict[str, str]) -> str:
    back = said.get("back", "")
    return back if _BACK.fullmatch(back) else "/"


def _is_secure(request: web.Request) -> bool:
    return own_origin(request, request.app[ORIGIN]).startswith("https:")


ORIGIN: Final[web.AppKey[str | None]] = web.AppKey("origin")
"""Where browsers find the desk, if that was said."""
