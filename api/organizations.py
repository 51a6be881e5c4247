"""Organizations: `/v1/organizations/{id}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.admit import GATE
from api.answers.organizations import ORGANIZATION, OrganizationAnswer
from api.authorize import may_see_organization
from api.database import POOL
from api.declare import ADMISSION, IF_NONE_MATCH, QUERY, answers, path_id
from api.page import read_query
from api.parse import ORGANIZATION_PATTERN, parse_organization_id
from api.present import present_organization
from api.read.organizations import read_organization
from api.respond import make_view, respond
from schema.http.endpoints import Endpoint
from schema.http.errors import HttpError
from schema.postgres.ids import UUID_PATTERN

if TYPE_CHECKING:
    from aiohttp import web


async def show_organization(request: web.Request) -> web.Response:
    """Answer with an organization, to its members and to who sees all."""
    viewer = await request.app[GATE].admit(request)
    organization_id = parse_organization_id(request.match_info["id"])
    read_query(request.query.items(), {})
    organization, membership = await read_organization(
        request.app[POOL], organization_id, member=viewer.user_id
    )
    if organization is None or not may_see_organization(viewer, organization, membership):
        raise HttpError("ORGANIZATION_NOT_FOUND", "There is no such organization.")
    return respond(request, make_view(present_organization(organization, membership)))


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/v1/organizations/{id}",
        handler=show_organization,
        name="show_organization",
        summary="An organization, and what the caller is to it",
        description="For its members and for administrators.",
        parameters=(
            path_id(
                "An organization: our id or Clerk's.",
                pattern=f"{UUID_PATTERN}|{ORGANIZATION_PATTERN}",
                example=ORGANIZATION["clerk_id"],
            ),
            IF_NONE_MATCH,
        ),
        answers=answers("The organization", OrganizationAnswer, ORGANIZATION),
        errors=(*ADMISSION, *QUERY, "INVALID_ID", "ORGANIZATION_NOT_FOUND"),
    ),
)
