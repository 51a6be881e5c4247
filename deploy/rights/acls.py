"""Compare the ACLs of a Kafka with the declaration, and put them in place.

Only those of the users that are named: others' rights are none of ours, nor is what is denied.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest

from deploy.errors import OperatorError
from deploy.rights.topics import NEEDS, Right

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from aiokafka.client import AIOKafkaClient

OPERATIONS: Final = {
    "All": 2,
    "Read": 3,
    "Write": 4,
    "Create": 5,
    "Delete": 6,
    "Alter": 7,
    "Describe": 8,
    "ClusterAction": 9,
    "DescribeConfigs": 10,
    "AlterConfigs": 11,
    "IdempotentWrite": 12,
}
"""Operation -> its number: org.apache.kafka.common.acl.AclOperation."""

KINDS: Final = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5}
"""Kind -> its number: org.apache.kafka.common.resource.ResourceType."""

PATTERNS: Final = {"literal": 3, "prefixed": 4}
"""How a name is meant -> its number: org.apache.kafka.common.resource.PatternType."""

_ANY: Final = 1
_ALLOW: Final = 3
_EVERYWHERE: Final = "*"
_EVERYTHING: Final = "*"


@dataclass(frozen=True, kw_only=True, order=True)
class Acl:
    """A right that a user of Kafka's has, wherever they come from."""

    user: str
    right: Right
    pattern: str = "literal"


@dataclass(frozen=True, kw_only=True)
class Differences:
    """Where a Kafka is not as declared."""

    missing: frozenset[Acl]
    surplus: frozenset[Acl]
    """What the named users may do besides with what is ours; what else they may is none of it."""


class AclError(OperatorError):
    """Kafka refused to tell or to change its ACLs; the message says why."""


def declared_acls(users: Mapping[str, str]) -> frozenset[Acl]:
    """Return what these users must have: process -> as whom it comes. Two may come as one."""
    return frozenset(
        Acl(user=user, right=right) for process, user in users.items() for right in NEEDS[process]
    )


async def diff_acls(client: AIOKafkaClient, users: Mapping[str, str]) -> Differences:
    """Return what differs. Raises AclError, and KafkaError when nobody answers."""
    held = frozenset().union(*[await _list_acls(client, user) for user in set(users.values())])
    declared = declared_acls(users)
    surplus = frozenset(acl for acl in held - declared if _is_of_ours(acl))
    return Differences(missing=declared - held, surplus=surplus)


async def apply_acls(client: AIOKafkaClient, differences: Differences) -> None:
    """Create what is missing, then take what is too much. Raises AclError."""
    for request, acls in (
        (CreateAclsRequest, differences.missing),
        (DeleteAclsRequest, differences.surplus),
    ):
        for acl in sorted(acls):
            answer = await _send(client, request(*_spell(acl)))
            for code, said, *_ in answer[1]:
                _require_done(code, said)


def spell_commands(acls: Iterable[Acl], *, action: str = "--add") -> list[str]:
    """Return the commands of Kafka's own tool that do the same, one for each kind of right."""
    commands = []
    ordered = sorted(acls, key=lambda each: (*_key(each), each.right.name))
    for (user, kind, operation, pattern), alike in groupby(ordered, key=_key):
        names = [
            "--cluster" if kind == "cluster" else f"--{kind} {each.right.name}" for each in alike
        ]
        meant = "" if pattern == "literal" else f" --resource-pattern-type {pattern}"
        principal = "--allow-principal" if action == "--add" else "--force --allow-principal"
        commands.append(
            f'kafka-acls.sh --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" {action} {principal}'
            f' "User:{user}" --operation {operation}{meant} {" ".join(names)}'
        )
    return commands


def _is_of_ours(acl: Acl) -> bool:
    """Tell whether a right covers something that a process of ours has rights to."""
    names = {
        each.name for rights in NEEDS.values() for each in rights if each.kind == acl.right.kind
    }
    if acl.pattern == "prefixed":
        return any(name.startswith(acl.right.name) for name in names)
    return acl.right.name in {*names, _EVERYTHING}


def _key(acl: Acl) -> tuple[str, str, str, str]:
    return acl.user, acl.right.kind, acl.right.operation, acl.pattern


def _spell(acl: Acl) -> tuple[int, str, int, str, str, int, int]:
    right = acl.right
    return (
        *(KINDS[right.kind], right.name, PATTERNS[acl.pattern]),
        *(f"User:{acl.user}", _EVERYWHERE, OPERATIONS[right.operation], _ALLOW),
    )


async def _list_acls(client: AIOKafkaClient, user: str) -> Collection[Acl]:
    """Return what a user may do anywhere."""
    anything: Any = None
    answer = await _send(
        client,
        DescribeAclsRequest(_ANY, anything, _ANY, f"User:{user}", _EVERYWHERE, _ANY, _ALLOW),
    )
    _, code, said, resources = answer
    _require_done(code, said)
    operations, kinds, patterns = (
        {number: name for name, number in names.items()} for names in (OPERATIONS, KINDS, PATTERNS)
    )
    return {
        Acl(
            user=user,
            right=Right(operation=operations[operation], kind=kinds[kind], name=name),
            pattern=patterns[pattern],
        )
        for kind, name, pattern, held in resources
        for *_, operation, _permission in held
        if kind in kinds and operation in operations and pattern in patterns
    }


async def _send(client: AIOKafkaClient, request: Any) -> Any:
    """Return what any broker answers: each knows all ACLs, and hands changes on."""
    node = client.get_random_node()
    if node is None:
        raise AclError("No broker is known.")
    await client.ready(node)
    answer = await client.send(node, request)
    return [getattr(answer, name) for name in answer.SCHEMA.names]


def _require_done(code: int, said: str | None) -> None:
    if code:
        error: Any = for_code(code)
        raise AclError(f"Kafka refuses: {error.__name__}{f', {said}' if said else ''}.")
