"""Security headers: what each answer tells browsers not to do.

https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html
https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp.hdrs import CONTENT_TYPE
from multidict import istr
from secure import (
    CacheControl,
    ContentSecurityPolicy,
    CrossOriginOpenerPolicy,
    CrossOriginResourcePolicy,
    PermissionsPolicy,
    ReferrerPolicy,
    Secure,
    Server,
    StrictTransportSecurity,
    XContentTypeOptions,
    XFrameOptions,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

PAGE: Final = "text/html"
"""What gets the policy of pages."""
SERVER: Final = "clerkwork"
"""Who answers; versions are nobody's business."""


class SecurityHeaders(NamedTuple):
    """Names and values, computed once; a handler's own value of any of them stays."""

    data: Mapping[str, str]
    """For what no browser should show or run."""
    page: Mapping[str, str]
    """For HTML, whose styles and scripts are files of ours; inline ones need a policy with
    their hashes, which the page's handler sets."""

    def dress(self, response: web.StreamResponse) -> None:
        """Give `response`, whose headers are not sent yet, those it lacks."""
        headers = response.headers
        headers["Server"] = SERVER  # aiohttp has put its name and version there
        headers.merge(self.choose(headers.get(CONTENT_TYPE, "")))

    def choose(self, content_type: str) -> Mapping[str, str]:
        """Return those of an answer of this type."""
        return self.page if content_type.startswith(PAGE) else self.data


def security_headers(*, hsts_s: int) -> SecurityHeaders:
    """Return the headers; those that bind a host to TLS only where `hsts_s` is not 0."""
    data = ContentSecurityPolicy().default_src("'none'").frame_ancestors("'none'")
    page = (
        ContentSecurityPolicy()
        .default_src("'none'")
        .script_src("'self'")
        .style_src("'self'")
        .img_src("'self'", "data:")
        .connect_src("'self'")
        .base_uri("'none'")
        .form_action("'none'")
        .frame_ancestors("'none'")
    )
    return SecurityHeaders(*(_headers(policy, hsts_s=hsts_s) for policy in (data, page)))


def _headers(policy: ContentSecurityPolicy, *, hsts_s: int) -> Mapping[str, str]:
    hsts = StrictTransportSecurity().max_age(hsts_s).include_subdomains() if hsts_s else None
    secure = Secure(
        cache=CacheControl().no_store(),
        coop=CrossOriginOpenerPolicy().same_origin(),
        corp=CrossOriginResourcePolicy().same_origin(),
        csp=policy,
        hsts=hsts,
        permissions=PermissionsPolicy().camera().geolocation().microphone().payment().usb(),
        referrer=ReferrerPolicy().no_referrer(),
        server=Server().set(SERVER),
        xcto=XContentTypeOptions().nosniff(),
        xfo=XFrameOptions().deny(),
    )
    checked = secure.validate_and_normalize_headers(on_invalid="raise", strict=True).headers
    return {istr(name): value for name, value in checked.items()}
