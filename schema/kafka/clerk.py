"""Clerk's webhook events, read leniently: only what is used is required.

Clerk's own OpenAPI document contradicts itself in half of its examples and fields come and go
every month, so unknown fields pass and most known ones may be missing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import msgspec

PLAIN_MS: Final = 10**11
"""Clerk's times are milliseconds; what is below is seconds, as in some of its examples. 10^11 s is
the year 5138."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

MAX_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, the last that Python and PostgreSQL both can hold."""

_FLOAT_BELOW_MS: Final = 2**31 * 1000
"""Up to then a float holds seconds with more than six exact decimals."""

MAX_TYPE_LENGTH: Final = 128
"""Types go into headers and the ledger."""

Id: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,128}\Z")]
"""An id of Clerk's: printable ASCII, so that it fits any index, header and log."""

Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=2048)]
"""More than Clerk lets anybody enter; what is longer is no name."""

Address: TypeAlias = Annotated[str, msgspec.Meta(max_length=320)]
"""An e-mail address: 64 characters, @, 255 (RFC 3696, section 3); longer ones fit no index."""

Name: TypeAlias = Annotated[str, msgspec.Meta(max_length=256)]
"""What names somebody, before it is known to be an id: it fits a record's key and headers."""

EMPTY_OBJECT: Final = msgspec.Raw(b"{}")
NOTHING: Final = msgspec.Raw(b"")


class MalformedEventError(Exception):
    """This event is bad: it cannot be read now or later. Never retry it, set it aside.

    `field` is a JSON path such as `$.data.updated_at`; `reason` says what is wrong with it and
    holds none of the payload.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class UnreadableEventError(MalformedEventError):
    """It is not JSON, or holds text that no JSON parser takes."""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A user or organization named inside `data`."""

    user_id: Name | None = None
    organization_id: Name | None = None


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The ids in `data` that say whom an event is about; `""` means missing."""

    id: Name | None = None
    user_id: Name | None = None
    organization_id: Name | None = None
    public_user_data: Reference | None = None
    payer: Reference | None = None
    updated_at: msgspec.Raw = NOTHING
    """Not read yet, so that whatever stands there refuses no event: see `read_version`."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What surrounds the `data` of every event."""

    type: str
    data: msgspec.Raw
    timestamp: int | None = None
    """When it happened: milliseconds since 1970, seconds in some of Clerk's examples."""
    instance_id: Name | None = None


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """Whether, and how, an address was proven to be the user's."""

    status: str | None = None
    strategy: str | None = None


class EmailAddress(msgspec.Struct, frozen=True, kw_only=True):
    """One of a user's e-mail addresses."""

    id: str
    email_address: Address
    verification: Verification | None = None
    created_at: int | None = None


class PhoneNumber(msgspec.Struct, frozen=True, kw_only=True):
    """One of a user's phone numbers; the number itself is not read."""

    verification: Verification | None = None
    created_at: int | None = None


class User(msgspec.Struct, frozen=True, kw_only=True):
    """`data` of user.created and user.updated, as far as we keep it. Times in milliseconds."""

    id: Id
    updated_at: int
    created_at: int | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    username: Text | None = None
    image_url: Text | None = None
    external_id: Text | None = None
    primary_email_address_id: str | None = None
    email_addresses: list[EmailAddress] = []
    phone_numbers: list[PhoneNumber] = []
    public_metadata: msgspec.Raw = EMPTY_OBJECT
    banned: bool = False
    locked: bool = False
    deprovisioned: bool = False
    last_sign_in_at: int | None = None
    last_active_at: int | None = None


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """`data` of user.deleted and organization.deleted: no time, no name, only the id."""

    id: Id


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """From where a session was used."""

    browser_name: Text | None = None
    device_type: Text | None = None
    ip_address: Text | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """`data` of session.*. Times in milliseconds."""

    id: Id
    user_id: Id
    updated_at: int
    created_at: int | None = None
    status: str | None = None
    actor: Any = None
    """Who acts as the user, where somebody does."""
    latest_activity: Activity | None = None
    last_active_at: int | None = None
    expire_at: int | None = None
    abandon_at: int | None = None
    user: User | None = None
    """The user as of then, in payloads since November 2025."""


class Organization(msgspec.Struct, frozen=True, kw_only=True):
    """`data` of organization.created and .updated, and what memberships nest."""

    id: Id
    updated_at: int | None = None
    created_at: int | None = None
    name: Text | None = None
    slug: Text | None = None
    image_url: Text | None = None
    public_metadata: msgspec.Raw = EMPTY_OBJECT


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a membership names."""

    user_id: Id


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """`data` of organizationMembership.*, the whole of it in .deleted too."""

    id: Id
    role: Text
    updated_at: int
    created_at: int | None = None
    permissions: list[Text] | None = None
    public_metadata: msgspec.Raw = EMPTY_OBJECT
    organization: Organization
    public_user_data: Member


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """`data` of organizationInvitation.accepted."""

    id: Id
    organization_id: Id
    role: Text
    updated_at: int
    created_at: int | None = None
    user_id: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{0,128}\Z")] | None = None
    """Who accepted it, in payloads since September 2025."""


DataT = TypeVar("DataT")

_from_timestamp: Final = datetime.fromtimestamp
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_SUBJECT: Final = msgspec.json.Decoder(Subject)
_INTEGER: Final = msgspec.json.Decoder(int)
USER: Final = msgspec.json.Decoder(User)
DELETED: Final = msgspec.json.Decoder(Deleted)
SESSION: Final = msgspec.json.Decoder(Session)
ORGANIZATION: Final = msgspec.json.Decoder(Organization)
MEMBERSHIP: Final = msgspec.json.Decoder(Membership)
INVITATION: Final = msgspec.json.Decoder(Invitation)


def _decode(decoder: msgspec.json.Decoder[DataT], text: bytes | msgspec.Raw, at: str) -> DataT:
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        # msgspec ends its message with " - at `$.path`"; what stands before holds types only.
        reason, _, path = str(error).partition(" - at `$")
        raise MalformedEventError(at + path.rstrip("`"), reason) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise UnreadableEventError(at, "not readable as JSON") from None


def read_envelope(body: bytes) -> Envelope:
    """Read what surrounds the data. Raises MalformedEventError, nothing else."""
    envelope = _decode(_ENVELOPE, body, "$")
    if not 0 < len(envelope.type) <= MAX_TYPE_LENGTH:
        raise MalformedEventError("$.type", f"not 1 to {MAX_TYPE_LENGTH} characters")
    return envelope


def read_subject(envelope: Envelope) -> Subject:
    """Read whom the event is about. Raises MalformedEventError, nothing else."""
    return _decode(_SUBJECT, envelope.data, "$.data")


def read_version(envelope: Envelope, subject: Subject) -> int | None:
    """Return the version that the row of a user will have reached by this event of theirs, in ms.

    None for the events of others, and where no time can be read.
    """
    try:
        if envelope.type in {"user.created", "user.updated"}:
            path = "$.data.updated_at"
            return read_ms(_decode(_INTEGER, subject.updated_at, path), path)
        if envelope.type == "user.deleted" and envelope.timestamp is not None:
            return read_ms(envelope.timestamp, "$.timestamp")
    except MalformedEventError:
        pass
    return None


def read_data(envelope: Envelope, decoder: msgspec.json.Decoder[DataT]) -> DataT:
    """Read the event's data as `decoder` has it. Raises MalformedEventError, nothing else."""
    return _decode(decoder, envelope.data, "$.data")


def in_ms(value: int) -> int:
    """Return a time in milliseconds, whichever of its two units Clerk used."""
    return value * 1000 if 0 <= value < PLAIN_MS else value


def read_ms(value: int, field: str) -> int:
    """Return `value` in milliseconds since 1970 as `in_ms` does.

    Raises MalformedEventError naming `field` when no calendar holds it.
    """
    ms = in_ms(value)
    if not 0 <= ms <= MAX_MS:
        raise MalformedEventError(field, "not a time between 1970 and 9999")
    return ms


def time_from_ms(ms: int) -> datetime:
    """Return the UTC time of `ms` milliseconds, exactly; `ms` as `read_ms` returns it."""
    if ms < _FLOAT_BELOW_MS:
        return _from_timestamp(ms / 1000, UTC)  # a third of the time, and each event has six
    return EPOCH + timedelta(0, ms // 1000, ms % 1000 * 1000)


def occurred_at(envelope: Envelope) -> datetime | None:
    """Return when the event happened, None where it does not say.

    Raises MalformedEventError when its timestamp is beyond all calendars.
    """
    if envelope.timestamp is None:
        return None
    return time_from_ms(read_ms(envelope.timestamp, "$.timestamp"))
