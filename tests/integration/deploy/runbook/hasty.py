"""A worker in a hurry: it counts often, tries again soon, and has a bug when deployed with one.

Run as `python -m` in the place of `workers`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import msgspec

from workers import count, decode, park
from workers.__main__ import main
from workers.project import project

if TYPE_CHECKING:
    from schema.kafka.clerk import Envelope

UNLUCKY = b"Unlucky"
"""A first name that the bug does not bear."""


def _fail_for_some(envelope: Envelope, event_id: str) -> Any:
    if UNLUCKY in bytes(envelope.data):
        raise KeyError(event_id)
    return project(envelope, event_id)


def _read_wrongly(envelope: Envelope, event_id: str) -> Any:
    data = bytes(envelope.data).replace(b'"first_name":', b'"first_name":"Nobody","once":')
    return project(msgspec.structs.replace(envelope, data=msgspec.Raw(data)), event_id)


BUGS: Final = {"yes": _fail_for_some, "wrong": _read_wrongly}
"""What WITH_BUG may say: one that fails, and one that nobody notices."""


def _hurry() -> None:
    # By name: what is Final is changed here on purpose.
    for module, name, value in (
        (count, "COUNT_EVERY_S", 0.5),
        (park, "RETRY_DELAYS", {"10s": 0.2, "1m": 0.3, "10m": 0.4}),
    ):
        setattr(module, name, value)
    if bug := BUGS.get(os.environ.get("WITH_BUG", "")):
        setattr(decode, "project", bug)  # noqa: B010 - the type is the module's


if __name__ == "__main__":
    _hurry()
    main()
