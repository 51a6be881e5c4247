"""The lists of Clerk's Backend API: whom they show, in which order, from where on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from deploy.standin.query import (
    MEMBERSHIP_ORDERS,
    ORGANIZATION_ORDERS,
    USER_ORDERS,
    behind,
    read_cursor,
    read_order,
    read_page,
    select,
    sort,
)
from deploy.standin.refuse import RefusedError, absent, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

    from deploy.standin.shapes import Thing
    from deploy.standin.trouble import Trouble
    from deploy.standin.world import World

_Kind = Literal["users", "organizations", "memberships"]

_SESSION_FILTERS: Final = ("user_id", "client_id", "status")
_SESSION_STATUSES: Final = frozenset(
    {"abandoned", "active", "ended", "expired", "removed", "replaced", "revoked", "pending"}
)


class Lists:
    """Each method returns what is answered to a request, or raises RefusedError."""

    def __init__(self, world: World, trouble: Trouble) -> None:
        self._world = world
        self._trouble = trouble
        self._sorted: dict[tuple[_Kind, str, bool], tuple[int, list[Thing]]] = {}

    def users(self, request: web.Request) -> Sequence[Thing]:
        """Users, as a bare list."""
        query = request.query
        offset, limit = read_page(query)
        order, descending = read_order(query, USER_ORDERS)
        cursor = read_cursor(query, order)
        ordered = self._order("users", order, descending=descending)
        chosen = select(ordered, query, "user_id", _own_id)
        if cursor is not None:
            offset = self._find(chosen, cursor, descending=descending)
        return chosen[offset : offset + limit]

    def count(self, request: web.Request) -> Thing:
        """How many users those filters leave."""
        users = select(list(self._world.users.values()), request.query, "user_id", _own_id)
        return {"object": "total_count", "total_count": len(users)}

    def organizations(self, request: web.Request) -> Thing:
        """Organizations, wrapped."""
        query = request.query
        offset, limit = read_page(query)
        order, descending = read_order(query, ORGANIZATION_ORDERS)
        ordered = self._order("organizations", order, descending=descending)
        page = _wrap(select(ordered, query, "organization_id", _own_id), offset, limit)
        return page | {"data": [present_organization(each, query) for each in page["data"]]}

    def memberships(self, request: web.Request) -> Thing:
        """All memberships there are, wrapped."""
        query = request.query
        offset, limit = read_page(query)
        order, descending = read_order(query, MEMBERSHIP_ORDERS)
        return _wrap(self._order("memberships", order, descending=descending), offset, limit)

    def memberships_of(self, request: web.Request) -> Thing:
        """Those of one user, wrapped."""
        user_id = request.match_info["id"]
        if user_id not in self._world.users:
            raise absent()
        offset, limit = read_page(request.query)
        memberships = self._world.memberships_of(user_id)
        return _wrap(sort(memberships, "created_at", descending=True), offset, limit)

    def memberships_in(self, request: web.Request) -> Thing:
        """Those of one organization, wrapped."""
        organization_id, query = request.match_info["id"], request.query
        if organization_id not in self._world.organizations:
            raise absent()
        offset, limit = read_page(query)
        order, descending = read_order(query, MEMBERSHIP_ORDERS)
        memberships = self._world.memberships_in(organization_id)
        ordered = sort(memberships, order, descending=descending)
        return _wrap(select(ordered, query, "user_id", _user_id), offset, limit)

    def sessions(self, request: web.Request) -> list[Thing]:
        """Those of one user or client, as a bare list."""
        query = request.query
        offset, limit = read_page(query)
        if "user_id" not in query and "client_id" not in query:
            raise RefusedError(422, "form_param_missing", "user_id or client_id is required")
        if query.get("status", "active") not in _SESSION_STATUSES:
            raise invalid("status", "is no status of a session")
        chosen = [
            each
            for each in self._world.sessions.values()
            if all(each[name] == query.get(name, each[name]) for name in _SESSION_FILTERS)
        ]
        return sort(chosen, "created_at", descending=True)[offset : offset + limit]

    def _order(self, kind: _Kind, order: str, *, descending: bool) -> list[Thing]:
        """Return all of a kind in order: kept until the world changes, or pages would be slow."""
        version, ordered = self._sorted.get((kind, order, descending), (-1, []))
        if version != self._world.version:
            version = self._world.version
            things: Mapping[str, Thing] = getattr(self._world, kind)
            ordered = sort(things.values(), order, descending=descending)
            self._sorted[kind, order, descending] = version, ordered
        return ordered

    def _find(self, ordered: Sequence[Thing], cursor: str, *, descending: bool) -> int:
        user = self._world.users.get(cursor)
        if user is not None:
            return behind(user, ordered, descending=descending)
        if self._trouble.unknown_cursor == "refuse":
            raise invalid("starting_after", "is no user's id")
        return len(ordered) if self._trouble.unknown_cursor == "empty" else 0


def present_organization(organization: Thing, query: Mapping[str, str]) -> Thing:
    """Return what is shown of an organization: its members are counted only on demand."""
    counted = query.get("include_members_count") == "true"
    return {
        name: value for name, value in organization.items() if counted or name != "members_count"
    }


def _wrap(things: Sequence[Thing], offset: int, limit: int) -> Thing:
    return {"data": list(things[offset : offset + limit]), "total_count": len(things)}


def _own_id(thing: Thing) -> str:
    own: str = thing["id"]
    return own


def _user_id(membership: Thing) -> str:
    user_id: str = membership["public_user_data"]["user_id"]
    return user_id
