"""What the tables must hold once a set of events has been delivered, in whatever order.

Independent of workers/: brute force over facts, one table after the other, with no notion of
order. A difference between this and the database is a fault of one of the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from schema.postgres.ids import derive_id
from tests.integration.workers.order.columns import (
    changes,
    columns,
    ended,
    first_activity,
    keys,
    latest,
    login,
    strongest,
    text,
)
from tests.integration.workers.order.facts import (
    EPOCH,
    BadEventError,
    Data,
    Fact,
    InvitationTold,
    MembershipTold,
    OrganizationDeletion,
    OrganizationNamed,
    OrganizationSnapshot,
    RefusedError,
    SessionTold,
    Told,
    UserDeletion,
    UserNamed,
    UserSnapshot,
    moment,
)
from tests.integration.workers.order.hearing import hear
from tests.integration.workers.order.reading import read
from tests.integration.workers.order.shapes import (
    BLANK_ORGANIZATION,
    BLANK_USER,
    KEYS,
    UNSEEN,
    Tables,
)
from tests.integration.workers.order.writings import post_rows, said_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

FactT = TypeVar("FactT", bound=Fact)
COMMANDS: Final = ("clerkwork.post.", "clerkwork.user_data.")
DELETIONS: Final = ("user.deleted", "clerkwork.absence.user")
NOBODY: Final[Mapping[str, int]] = {}
ORGANIZATION: Final = (OrganizationNamed, OrganizationSnapshot, OrganizationDeletion)


def expected_tables(
    events: Iterable[Told],
    *,
    held: bool = False,
    history_limit: int = 50,
    restored: Mapping[str, int] = NOBODY,
) -> Tables:
    """Return every row of every table; `held` says that deletions are held back, not erased.

    The deletions of users in `restored` are void up to that time, in ms.
    """
    model = _Model(events, held=held, history_limit=history_limit, restored=restored)
    return model.tables()


@dataclass(frozen=True)
class _Verdict:
    told: Told
    facts: list[Fact]
    outcome: str


class _Model:
    """All facts, and the questions that one asks of them."""

    def __init__(
        self,
        events: Iterable[Told],
        *,
        held: bool,
        history_limit: int,
        restored: Mapping[str, int],
    ) -> None:
        self.verdicts = [_judge(told) for told in events]
        self.restored = restored
        self.facts = [
            fact
            for verdict in self.verdicts
            for fact in verdict.facts
            if not (
                isinstance(fact, UserDeletion)
                and fact.version[1] <= self.restored.get(fact.clerk_id, -1)
            )
        ]
        self.held, self.history_limit = held, history_limit
        self.users = sorted({fact.clerk_id for fact in self.all(UserNamed)})
        self.deleted = {fact.clerk_id for fact in self.all(UserDeletion)}
        self.erased = set() if held else self.deleted
        self.closed = {fact.clerk_id for fact in self.all(OrganizationDeletion)}

    def all(self, kind: type[FactT], clerk_id: str | None = None) -> list[FactT]:
        """Return the facts of a kind, oldest version first."""
        found = [fact for fact in self.facts if isinstance(fact, kind)]
        return sorted(
            (fact for fact in found if clerk_id in {None, fact.clerk_id}),
            key=lambda fact: fact.version,
        )

    def tables(self) -> Tables:
        """Return every table."""
        alive = [user for user in self.users if user not in self.erased]
        tables = {
            "users": [self.user(user) for user in self.users],
            "organizations": [self.organization(each) for each in self.organizations()],
            "sessions": [row for user in alive for row in self.sessions(user)],
            "organization_memberships": [row for user in alive for row in self.memberships(user)],
            "organization_invitations": [row for user in alive for row in self.invitations(user)],
            "user_names": [row for user in alive for row in self.names(user)],
            "user_data": [
                row
                for user in alive
                for row in [*self.user_data(user), *said_rows(self.facts, user)]
            ],
            "posts": [row for user in alive for row in post_rows(self.facts, user)],
            "events": [self.ledger(verdict) for verdict in self.verdicts],
        }
        return {
            table: {tuple(row[name] for name in KEYS[table]): row for row in rows}
            for table, rows in tables.items()
        }

    def user(self, user: str) -> Data:
        """Return a row of users."""
        deletions, snapshots = self.all(UserDeletion, user), self.all(UserSnapshot, user)
        row = keys(user) | BLANK_USER | columns(UNSEEN) | {"status": "pending"}
        if user in self.erased:
            _, at, event_id = deletions[-1].version
            return row | ended(deletions[-1]) | columns((at, at, event_id))
        if snapshots:
            row |= snapshots[-1].row | columns(snapshots[-1].version)
        row |= {
            "last_sign_in_at": latest(fact.signed_in for fact in snapshots),
            "last_active_at": latest(fact.active for fact in snapshots),
            "last_event_at": latest(
                None if fact.at is None else moment(fact.at) for fact in self.all(UserNamed, user)
            ),
            "signup_source": strongest({fact.evidence for fact in snapshots}),
            "restored_at": user in self.restored,
        }
        if deletions:
            row |= {"held_status": row["status"], "erase_at": True} | ended(deletions[-1])
        return row

    def names(self, user: str) -> list[Data]:
        """Return a user's rows of user_names, oldest first: of each version the last word."""
        by_version = {fact.version[0]: fact for fact in self.all(UserSnapshot, user)}
        names = ("first_name", "last_name")
        return [
            {"user_id": derive_id(user)}
            | columns(fact.version)
            | {name: fact.row[name] for name in names}
            for fact in by_version.values()
        ]

    def sessions(self, user: str) -> list[Data]:
        """Return a user's rows of sessions, the newest sign-in first."""
        mine = [fact for fact in self.all(SessionTold) if fact.user == user]
        rows = []
        for session in {fact.clerk_id for fact in mine}:
            told = [fact for fact in mine if fact.clerk_id == session]
            winner = max(told, key=lambda fact: (fact.final, fact.version))
            row = keys(session) | winner.row | columns(winner.version) | first_activity(told)
            row |= {"user_id": derive_id(user)}
            row |= {
                "created_at": min(fact.row["created_at"] for fact in told),
                "impersonated": any(fact.row["impersonated"] for fact in told),
                "last_active_at": latest(fact.active for fact in told),
            }
            rows.append(row)
        return sorted(rows, key=lambda row: (row["created_at"], row["id"]), reverse=True)

    def organizations(self) -> list[str]:
        """Return the organizations that an event names: a stub or more."""
        return sorted({fact.clerk_id for fact in self.facts if isinstance(fact, ORGANIZATION)})

    def organization(self, organization: str) -> Data:
        """Return a row of organizations."""
        deletions = self.all(OrganizationDeletion, organization)
        snapshots = self.all(OrganizationSnapshot, organization)
        row = keys(organization) | BLANK_ORGANIZATION | columns(UNSEEN) | {"status": "pending"}
        if deletions:
            _, at, event_id = deletions[-1].version
            row |= {"status": "deleted", "deleted_at": moment(at)}
            return row | columns((at, at, event_id))
        if snapshots:
            winner = snapshots[-1]
            row |= {"status": "active"} | winner.row | columns(winner.version)
        return row

    def memberships(self, user: str) -> list[Data]:
        """Return a user's rows of organization_memberships."""
        return self.belonging(MembershipTold, user, lambda fact: (fact.deleted, fact.version))

    def invitations(self, user: str) -> list[Data]:
        """Return a user's rows of organization_invitations."""
        return self.belonging(InvitationTold, user, lambda fact: fact.version)

    def belonging(
        self,
        kind: type[MembershipTold | InvitationTold],
        user: str,
        rank: Callable[[Any], Any],
    ) -> list[Data]:
        """Return rows that tie a user to an organization, as the fact of greatest rank has them."""
        mine = [
            fact
            for fact in self.all(kind)
            if fact.user == user
            # That somebody was invited stays true of an organization that is gone.
            and (kind is InvitationTold or fact.organization not in self.closed)
        ]
        winners = [
            max((fact for fact in mine if fact.clerk_id == clerk_id), key=rank)
            for clerk_id in {fact.clerk_id for fact in mine}
        ]
        return [
            keys(fact.clerk_id)
            | fact.row
            | columns(fact.version)
            | {"user_id": derive_id(user), "organization_id": derive_id(fact.organization)}
            for fact in winners
        ]

    def user_data(self, user: str) -> list[Data]:
        """Return a user's rows of user_data."""
        row = self.user(user)
        signins = [each for each in self.sessions(user) if not each["impersonated"]]
        invited = [
            each
            for each in self.invitations(user)
            if row["created_at"] is not None and each["created_at"] <= row["created_at"]
        ]
        values = {
            "session_count": len(signins),
            "login_history": [login(each) for each in signins][: self.history_limit],
            "name_history": changes(self.names(user))[::-1][: self.history_limit],
            "last_active": text(
                latest([row["last_active_at"], *(each["last_active_at"] for each in signins)])
            ),
            "last_clerk_sync": text(row["last_event_at"]),
            "signup_date": text(row["created_at"]),
            "signup_source": "invite" if invited else row["signup_source"],
        }
        return [
            {"user_id": row["id"], "key": key, "value": value, "version": 0, "version_event_id": ""}
            for key, value in values.items()
            if value is not None
        ]

    def ledger(self, verdict: _Verdict) -> Data:
        """Return a row of events, as far as the order of arrival does not decide it."""
        told = verdict.told
        forgotten = told.subject in self.erased and told.body["type"] not in DELETIONS
        return {
            "event_id": told.event_id,
            "occurred_at": EPOCH if told.at is None else moment(told.at),
            "type": told.body["type"],
            "clerk_user_id": None if forgotten else told.subject,
            "outcome": verdict.outcome,
        }


def _judge(told: Told) -> _Verdict:
    try:
        facts = hear(told) if told.body["type"].startswith(COMMANDS) else read(told)
    except BadEventError:
        return _Verdict(told, [], "dead")
    except RefusedError:
        return _Verdict(told, [], "refused")
    return _Verdict(told, facts, "changed" if facts else "ignored")
