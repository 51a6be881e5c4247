"""Take a command: who asks, what for, under which id; into Kafka; and only then a 202.

Ingest has no database: whether the user is banned or gone is not asked here. A token lives for 60
seconds, so that the command of somebody who lost their session can come in for that long; the
worker, who sees the rows, decides whether it still changes anything.

A cookie is as good as a header: another site's page can send neither JSON nor these methods without
asking first (the preflight of CORS), which only the origins that are allowed may.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from aiohttp import web

from ingest.commands.bodies import CommandAccepted
from ingest.commands.identify import HEADER, MAX_KEY, Request, identify, read_key
from ingest.commands.issue import Issued, write_record
from schema.http.endpoints import Answer, Parameter
from schema.http.errors import HttpError
from schema.http.request_ids import REQUEST_ID
from schema.http.tokens.callers import AUTHENTICATOR
from schema.http.tokens.claims import CLERK_USER_ID
from schema.kafka.commands import TYPES, DataDeletion, DataPut
from schema.kafka.producer import BrokerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ingest.commands.issue import Times
    from ingest.commands.remember import Memory
    from ingest.publish import Publisher
    from schema.kafka.commands import Command
    from schema.ops.metrics import IngestMetrics

    Read = Callable[[web.Request, "Asker"], Awaitable[Command]]

log = structlog.get_logger(__name__)

RETRY_AFTER: Final[Mapping[str, str]] = {"Retry-After": "5"}
MAX_PARAMETER: Final = 64
"""Characters of a parameter's name that are repeated to who sent it."""


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who asks for something, and under which id."""

    clerk_id: str
    command_id: str


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What is remembered of a command, and answered to it."""

    id: str
    """Of the post; of data, the key."""
    event_id: str
    version: int
    """When it was accepted, in milliseconds since 1970."""

    @property
    def response(self) -> web.Response:
        """The 202."""
        status_url = f"/v1/events/{self.event_id}"
        return web.json_response({**asdict(self), "status_url": status_url}, status=202)


@dataclass(frozen=True, kw_only=True)
class Door:
    """Everything a command meets on its way in."""

    publisher: Publisher
    times: Times
    memory: Memory[Accepted]
    metrics: IngestMetrics

    async def take(self, request: web.Request, kind: str, read: Read) -> web.Response:
        """Answer with 202 once the command of this type, which `read` finds, is in Kafka."""
        try:
            accepted, repeated = await self._take(request, read)
        except HttpError as error:
            self.metrics.commands.labels(kind, error.code.lower()).inc()
            log.info("command_rejected", type=kind, code=error.code)
            raise
        self.metrics.commands.labels(kind, "repeated" if repeated else "accepted").inc()
        return accepted.response

    async def _take(self, request: web.Request, read: Read) -> tuple[Accepted, bool]:
        clerk_id = await _authenticate(request)
        _refuse_parameters(request)
        key = read_key(request.headers.getall(HEADER, ()))
        same = Request(clerk_id=clerk_id, method=request.method, path=request.path)
        asker = Asker(clerk_id=clerk_id, command_id=identify(same, key))
        command = await read(request, asker)
        give = partial(self._give, command, asker.command_id, request[REQUEST_ID])
        if key is None:
            return await give(), False
        # Not of the body's bytes: spaces and the order of fields make no other command.
        fingerprint = hashlib.sha256(msgspec.json.encode(command)).digest()
        return await self.memory.once(asker.command_id, fingerprint=fingerprint, give=give)

    async def _give(self, command: Command, command_id: str, request_id: str) -> Accepted:
        issued = Issued(
            command=command,
            event_id=command_id,
            issued_ms=self.times.next(command.user_id),
            request_id=request_id,
        )
        try:
            stored = await self.publisher.publish(write_record(issued))
        except BrokerUnavailableError:
            raise HttpError(
                "BROKER_UNAVAILABLE", "Not stored; try again.", headers=RETRY_AFTER
            ) from None
        log.info(
            "command_stored",
            type=TYPES[type(command)],
            event_id=command_id,
            user_id=command.user_id,
            **stored._asdict(),
        )
        return Accepted(id=_name(command), event_id=command_id, version=issued.issued_ms)


DOOR: Final = web.AppKey("door", Door)
"""Where handlers find it."""


async def _authenticate(request: web.Request) -> str:
    caller = await request.app[AUTHENTICATOR].authenticate(request)
    if not CLERK_USER_ID.fullmatch(caller.clerk_id):
        raise HttpError("USERS_ONLY", "A machine has no posts and no data: sign in as a user.")
    return caller.clerk_id


def _refuse_parameters(request: web.Request) -> None:
    for name in request.query:
        raise HttpError(
            "UNKNOWN_PARAMETER",
            "A command has no query parameters.",
            details={"field": name[:MAX_PARAMETER]},
        )


def _name(command: Command) -> str:
    return command.key if isinstance(command, DataPut | DataDeletion) else str(command.id)


IDEMPOTENCY_KEY: Final = Parameter(
    name=HEADER,
    place="header",
    description="makes repeats of the request the same command: the same ids, and the same answer"
    " without being given again while it is remembered (10 minutes, in one process); quoted or not",
    schema={"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[ -~]+$"},
    example="8e03978e-40d5-43dd-bc93-6894a57f9324",
)

ERRORS: Final = (
    "UNKNOWN_PARAMETER",
    "INVALID_IDEMPOTENCY_KEY",
    "USERS_ONLY",
    "IDEMPOTENCY_KEY_REUSED",
    "BROKER_UNAVAILABLE",
)
"""How any command can fail."""

BODY_ERRORS: Final = (
    "INVALID_BODY",
    "BAD_REQUEST",
    "REQUEST_TIMEOUT",
    "PAYLOAD_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
)
"""How one with a body can fail besides."""


EXAMPLE_USER: Final = "user_2mZxQ8vRt4KcYbN1sLdWfHjEaUp"
EXAMPLE_EVENT: Final = "cmd_0f8b1c5e8f0e5d6c9a7b3c2d1e0f9a8b"
"""Who gives the command of the examples, and which it is."""


def accepted(example_id: str) -> Mapping[int, Answer]:
    """Return what a command is answered when all is well."""
    return {
        202: Answer(
            description="Kept, and soon applied: `status_url`, at the API, tells when",
            model=CommandAccepted,
            example={
                "id": example_id,
                "event_id": EXAMPLE_EVENT,
                "version": 1767225600000,
                "status_url": f"/v1/events/{EXAMPLE_EVENT}",
            },
        )
    }
