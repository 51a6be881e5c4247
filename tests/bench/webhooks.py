"""Signed webhooks as Svix would send them, each of another event of another user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.wrk import make_request
from tests.factories import new_user_id, sign, user_event

if TYPE_CHECKING:
    from collections.abc import Sequence


def make_webhooks(count: int) -> Sequence[bytes]:
    """Return so many, signed now: they are taken for five minutes."""
    bodies = [user_event(new_user_id(), at=number) for number in range(count)]
    return [make_request("POST", "/webhooks/clerk", sign(body), body) for body in bodies]
