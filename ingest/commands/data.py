"""Commands about the caller's own data: `PUT` and `DELETE /v1/me/data/{key}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

import msgspec

from ingest.commands.bodies import DataValue
from ingest.commands.check import check_body
from ingest.commands.take import BODY_ERRORS, DOOR, ERRORS, IDEMPOTENCY_KEY, accepted
from ingest.read import read_body
from schema.http.endpoints import Endpoint, Parameter
from schema.http.errors import HttpError
from schema.kafka.commands import DELETE_DATA, PUT_DATA, DataDeletion, DataPut, OwnKey
from schema.postgres.user_data import USER_DATA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from ingest.commands.take import Asker

MAX_DATA_BYTES: Final = 64 * 1024
"""The largest value, of 100 feature flags, has a tenth of it."""

OWN_KEYS: Final[Mapping[str, OwnKey]] = {key: key for key in get_args(OwnKey)}
"""What users set themselves."""


async def put_data(request: web.Request) -> web.Response:
    """Take a value of the caller's data."""
    return await request.app[DOOR].take(request, PUT_DATA, _read_put)


async def delete_data(request: web.Request) -> web.Response:
    """Take the end of a value of the caller's data."""
    return await request.app[DOOR].take(request, DELETE_DATA, _read_deletion)


async def _read_put(request: web.Request, asker: Asker) -> DataPut:
    key = parse_own_key(request.match_info["key"])
    shape = USER_DATA[key]
    value = check_body(await read_body(request, most_bytes=MAX_DATA_BYTES), shape)
    return DataPut(user_id=asker.clerk_id, key=key, value=msgspec.Raw(shape.dump_json(value)))


async def _read_deletion(request: web.Request, asker: Asker) -> DataDeletion:
    key = parse_own_key(request.match_info["key"])
    return DataDeletion(user_id=asker.clerk_id, key=key)


def parse_own_key(text: str) -> OwnKey:
    """Return the key. Raises HttpError 403 where it is derived, 404 where there is none such."""
    if text in OWN_KEYS:
        return OWN_KEYS[text]
    if text in USER_DATA:
        raise HttpError(
            "DATA_KEY_READ_ONLY", "This key is derived from events.", details={"field": "key"}
        )
    raise HttpError("UNKNOWN_DATA_KEY", "There is no such key.", details={"field": "key"})


_KEY: Final = Parameter(
    name="key",
    place="path",
    description="which of the data",
    schema={"type": "string", "enum": list(OWN_KEYS)},
    example="preferences",
    required=True,
)
_KEY_ERRORS: Final = ("DATA_KEY_READ_ONLY", "UNKNOWN_DATA_KEY")

ENDPOINTS: Final = (
    Endpoint(
        method="PUT",
        path="/v1/me/data/{key}",
        handler=put_data,
        name="put_data",
        summary="Set one of the caller's data",
        description="The whole value: what was there before is replaced.",
        parameters=(_KEY, IDEMPOTENCY_KEY),
        body=DataValue,
        answers=accepted("preferences"),
        errors=(*_KEY_ERRORS, *ERRORS, *BODY_ERRORS),
    ),
    Endpoint(
        method="DELETE",
        path="/v1/me/data/{key}",
        handler=delete_data,
        name="delete_data",
        summary="Delete one of the caller's data",
        parameters=(_KEY, IDEMPOTENCY_KEY),
        answers=accepted("preferences"),
        errors=(*_KEY_ERRORS, *ERRORS),
    ),
)
