"""What stands around the handlers: the guard before them, and pages in the place of errors."""

from __future__ import annotations

from http import HTTPMethod
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec
from aiohttp import web
from aiokafka.errors import KafkaError
from multidict import MultiDictProxy  # read at run time by web.RequestKey

from api.database import DRIVER_ERRORS
from deploy.desk.admit import OPERATOR, admit
from deploy.desk.models.frame import ErrorPage
from deploy.desk.protect import FIELD, demand_form_token, demand_own_origin
from deploy.desk.show import PAGES, Page, go_to
from deploy.errors import OperatorError
from schema.http.endpoints import endpoint_of
from schema.http.errors import HttpError
from schema.ops.probes import PATHS

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

FORM: Final = web.RequestKey("form", MultiDictProxy[str])
"""Where handlers of POST find what the form says."""

_FOR_PROGRAMS: Final = ("make_code",)
"""What is asked with a bearer token, which no page can send for a browser."""

_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_TITLES: Final = {
    400: "That cannot be done",
    401: "Sign in",
    403: "Not for you",
    404: "There is nothing here",
    405: "Not in this way",
    413: "Too much",
    415: "Not a form of ours",
    429: "Too often",
    500: "Something went wrong",
    503: "Not now",
}
_KEPT: Final = ("Retry-After", "Allow", "RateLimit", "RateLimit-Policy", "WWW-Authenticate")


def own_origin(request: web.Request, configured: str | None) -> str:
    """Return where the browser has found the desk."""
    return configured or f"{request.scheme}://{request.host}"


def guard(*, origin: str | None) -> Middleware:
    """Return what lets nobody in who is no administrator, and no form that is not of the desk."""

    @web.middleware
    async def stand_guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        endpoint = endpoint_of(request)
        if endpoint is None:  # a probe, or nothing
            return await handler(request)
        own = own_origin(request, origin)
        changes = request.method == HTTPMethod.POST
        if changes and endpoint.name not in _FOR_PROGRAMS:
            demand_own_origin(request.headers, own=own)
        if changes:
            request[FORM] = await _read_form(request)
        if endpoint.signed_in:
            operator = await admit(request, secure=own.startswith("https:"))
            if changes:
                demand_form_token(request[FORM].get(FIELD), identity=operator.identity)
            request[OPERATOR] = operator
        try:
            return await handler(request)
        except OperatorError as error:
            raise _name(error) from error

    return stand_guard


def _name(error: OperatorError) -> HttpError:
    """Return what a browser is told: that it is us, where a server of ours was away."""
    if isinstance(error.__cause__, KafkaError):
        return HttpError("BROKER_UNAVAILABLE", str(error), headers={"Retry-After": "5"})
    if isinstance(error.__cause__, DRIVER_ERRORS):
        return HttpError("DATABASE_UNAVAILABLE", str(error), headers={"Retry-After": "5"})
    return HttpError("BAD_REQUEST", str(error))


async def _read_form(request: web.Request) -> MultiDictProxy[str]:
    if request.can_read_body and request.content_type != _FORM_TYPE:
        raise HttpError("UNSUPPORTED_MEDIA_TYPE", "Forms are sent as browsers do.")
    try:
        return await request.post()  # type: ignore[return-value]  # no files in such a form
    except UnicodeDecodeError:
        raise HttpError("BAD_REQUEST", "The form is not UTF-8.") from None


@web.middleware
async def show_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer with a page where the answer would be the envelope of an error, and a page was asked.

    Who is not signed in is led to where they can.
    """
    response = await handler(request)
    if response.status < 400 or request.path in PATHS or not _wants_page(request):
        return response
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return response
    if response.content_type != "application/json":
        return response
    error = msgspec.json.decode(response.body)["error"]
    reading = request.method in {HTTPMethod.GET, HTTPMethod.HEAD}
    if error["code"] == "UNAUTHENTICATED":
        back = quote(request.path_qs if reading else "/", safe="")
        return go_to(f"/sign-in?back={back}")
    page = ErrorPage(
        status=response.status,
        title=_TITLES.get(response.status, "That did not work"),
        words=error["message"],
        request_id=error["requestId"],
        retry_url=request.path_qs if reading and response.status in {429, 503} else "",
    )
    shown = request.app[PAGES].show(
        request, Page(template="error.html", model=page, status=response.status)
    )
    shown.headers.update({n: response.headers[n] for n in _KEPT if n in response.headers})
    return shown


def _wants_page(request: web.Request) -> bool:
    """Say whether a browser shows this: programs and our own script ask for JSON."""
    return "application/json" not in request.headers.get("Accept", "")
