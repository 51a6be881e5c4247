"""Receive one webhook: HTTP in, HTTP out; the steps between know nothing of it.

Whatever is rightly signed is kept: published, or quarantined byte for byte where the fault is
ours to read. An error answer means that nothing was kept, and Clerk tries again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from ingest.prepare import Delivery, Prepared, prepare
from ingest.read import read_body
from ingest.verify import ID, SIGNATURE, TIMESTAMP, Verdict, verify
from schema.http.endpoints import Answer, Endpoint, Parameter
from schema.http.errors import HttpError
from schema.http.ready import Ready
from schema.http.request_ids import REQUEST_ID
from schema.http.sources import source_of
from schema.kafka.producer import BrokerUnavailableError, Record, Stored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ingest.publish import Publisher
    from ingest.throttle import Throttle
    from ingest.verify import Verifier
    from schema.ops.metrics import IngestMetrics

log = structlog.get_logger(__name__)

MAX_BODY_BYTES: Final = 512 * 1024
"""Svix sends at most about 350 kB."""
PATH: Final = "/webhooks/clerk"
"""Where Clerk sends them."""
RETRY_AFTER: Final[Mapping[str, str]] = {"Retry-After": "5"}
"""Svix's own second attempt comes 5 s after the first."""
_ENCODE: Final = msgspec.json.Encoder().encode

REJECTIONS: Final[Mapping[Verdict, tuple[str, str]]] = {
    Verdict.MISSING: (
        "MISSING_HEADER",
        "svix-id, svix-timestamp or svix-signature is not there.",
    ),
    Verdict.MALFORMED: ("MALFORMED_SIGNATURE", "A svix header cannot be read."),
    Verdict.UNREADABLE: ("INVALID_PAYLOAD", "The body is not UTF-8."),
    Verdict.FORGED: ("INVALID_SIGNATURE", "No signature matches the body."),
    Verdict.STALE: ("STALE_TIMESTAMP", "svix-timestamp is more than 5 minutes from now."),
}


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """Everything a webhook meets on its way in."""

    webhooks: Sequence[Verifier]
    instance_id: str | None
    publisher: Publisher
    throttle: Throttle
    metrics: IngestMetrics

    async def receive(self, request: web.Request) -> web.Response:
        """Answer `POST /webhooks/clerk`."""
        try:
            return await self._receive(request)
        except HttpError as error:
            self.metrics.webhooks.labels(error.code.lower()).inc()
            log.info("webhook_rejected", code=error.code)
            raise

    async def _receive(self, request: web.Request) -> web.Response:
        source = source_of(request)
        self._check_door(source)
        body = await read_body(request, most_bytes=MAX_BODY_BYTES)
        self._check_signature(request, source=source, body=body)
        delivery = Delivery(body=body, event_id=request.headers[ID], request_id=request[REQUEST_ID])
        prepared = prepare(delivery, instance_id=self.instance_id)
        stored = await self._publish(prepared.record)
        return self._acknowledge(delivery.event_id, prepared=prepared, stored=stored)

    def _check_door(self, source: str) -> None:
        if self.throttle.blocks(source):
            raise HttpError(
                "RATE_LIMITED", "Too many rejected webhooks.", headers={"Retry-After": "60"}
            )

    def _check_signature(self, request: web.Request, *, source: str, body: bytes) -> None:
        verdict = verify(body, request.headers, webhooks=self.webhooks, now_s=time.time())
        if verdict is Verdict.OK:
            self.throttle.vouch(source)
            return
        self.throttle.reject(source)
        raise HttpError(*REJECTIONS[verdict])

    async def _publish(self, record: Record) -> Stored:
        try:
            return await self.publisher.publish(record)
        except BrokerUnavailableError:
            raise HttpError(
                "BROKER_UNAVAILABLE", "Not stored; try again.", headers=RETRY_AFTER
            ) from None

    def _acknowledge(self, event_id: str, *, prepared: Prepared, stored: Stored) -> web.Response:
        status, (topic, partition, offset) = prepared.status, stored
        self.metrics.stored[status].inc()
        self.metrics.last_webhook.set_to_current_time()
        place = {"topic": topic, "partition": partition, "offset": offset}
        log.info("webhook_stored", status=status, event_id=event_id, **place)
        answer = {"status": status, "id": event_id, **place}
        if prepared.reaches:
            answer["user_id"], answer["version"] = prepared.reaches
        return Ready(_ENCODE(answer), status=202)


RECEIVER: Final = web.AppKey("receiver", Receiver)
"""Where the handler finds it."""


async def receive_webhook(request: web.Request) -> web.Response:
    """Take a webhook of Clerk's."""
    return await request.app[RECEIVER].receive(request)


class ClerkEvent(BaseModel):
    """An event as Clerk sends it. Whatever is rightly signed is kept, also what is not one."""

    model_config = ConfigDict(extra="allow")

    type: str
    data: dict[str, Any]


def _describe_absence(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


class WebhookStored(BaseModel):
    """A webhook that is kept."""

    model_config = ConfigDict(json_schema_extra=_describe_absence)

    status: Literal["accepted", "quarantined"] = Field(
        description="quarantined: rightly signed, not readable, and kept byte for byte"
    )
    id: str = Field(description="the svix-id")
    topic: str
    partition: int = Field(ge=0)
    offset: int = Field(ge=0)
    user_id: str = Field(
        "", description="Clerk's id of the user whose row the event changes, if it does"
    )
    version: int = Field(0, description="what their row will have reached at least, with user_id")


def _svix_header(name: str, *, description: str, example: str) -> Parameter:
    return Parameter(
        name=name,
        place="header",
        description=description,
        schema={"type": "string"},
        example=example,
        required=True,
    )


ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path=PATH,
        handler=receive_webhook,
        name="receive_webhook",
        summary="Where Clerk sends its webhooks",
        description="The body is an event of Clerk's, signed by Svix, of 512 KiB at most."
        " Whatever is rightly signed is kept before it is answered; all else is not.",
        limited=False,
        parameters=(
            _svix_header(ID, description="the event's", example="msg_2abcDEF"),
            _svix_header(
                TIMESTAMP, description="seconds since 1970, at the signing", example="1767225600"
            ),
            _svix_header(
                SIGNATURE,
                description="of id, timestamp and body; several, with spaces between",
                example="v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
            ),
        ),
        body=ClerkEvent,
        answers={
            202: Answer(
                description="It is in Kafka",
                model=WebhookStored,
                example={
                    "status": "accepted",
                    "id": "msg_2abcDEF",
                    "topic": "clerk.user-events",
                    "partition": 3,
                    "offset": 41,
                    "user_id": "user_2abcDEF",
                    "version": 1767225600000,
                },
            )
        },
        errors=(
            *(code for code, _ in REJECTIONS.values()),
            *("BAD_REQUEST", "REQUEST_TIMEOUT", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"),
            *("RATE_LIMITED", "BROKER_UNAVAILABLE"),
        ),
        signed_in=False,
    ),
)
