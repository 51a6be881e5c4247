"""Receive one webhook: the only file of ingest that knows HTTP.

Whatever is rightly signed is kept: published, or quarantined byte for byte where the fault is
ours to read. An error answer means that nothing was kept, and Clerk tries again.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from ingest.prepare import Delivery, Prepared, prepare
from ingest.verify import ID, Verdict, verify
from schema.http.errors import HttpError
from schema.http.request_ids import REQUEST_ID
from schema.http.sources import source_of
from schema.kafka.producer import BrokerUnavailableError, Record, Stored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from svix.webhooks import Webhook

    from ingest.publish import Publisher
    from ingest.throttle import Throttle
    from schema.ops.metrics import IngestMetrics

log = structlog.get_logger(__name__)

MAX_BODY_BYTES: Final = 512 * 1024
"""Svix sends at most about 350 kB."""
BODY_TIMEOUT_S: Final = 10.0
"""A sender that takes longer to send its body is let go."""
RETRY_AFTER: Final[Mapping[str, str]] = {"Retry-After": "5"}
"""Svix's own second attempt comes 5 s after the first."""

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

    webhooks: Sequence[Webhook]
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
        self._check_door(request, source)
        body = await _read_body(request)
        self._check_signature(request, source=source, body=body)
        delivery = Delivery(body=body, event_id=request.headers[ID], request_id=request[REQUEST_ID])
        prepared = prepare(delivery, instance_id=self.instance_id)
        stored = await self._publish(prepared.record)
        return self._acknowledge(delivery.event_id, prepared=prepared, stored=stored)

    def _check_door(self, request: web.Request, source: str) -> None:
        if self.throttle.blocks(source):
            raise HttpError(
                "RATE_LIMITED", "Too many rejected webhooks.", headers={"Retry-After": "60"}
            )
        if request.content_type != "application/json":
            raise HttpError("UNSUPPORTED_MEDIA_TYPE", "Send application/json.")

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
        status = prepared.status
        self.metrics.webhooks.labels(status).inc()
        place = {"topic": stored.topic, "partition": stored.partition, "offset": stored.offset}
        log.info("webhook_stored", status=status, event_id=event_id, **place)
        goal = asdict(prepared.reaches) if prepared.reaches else {}
        return web.json_response({"status": status, "id": event_id, **place, **goal}, status=202)


async def _read_body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise HttpError(
            "PAYLOAD_TOO_LARGE", f"The body is larger than {MAX_BODY_BYTES} bytes."
        ) from None
    except TimeoutError:
        raise HttpError("REQUEST_TIMEOUT", "The body did not arrive in time.") from None
