"""Rights in Kafka: which processes could do their work as whoever the environment says.

Each question is one that is answered without anything happening: what may be done to a topic is
told with its description (KIP-430); a heartbeat of nobody and the end of a transaction that nobody
has begun are refused either way, and for want of rights before all else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiokafka.errors import GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.transaction import EndTxnRequest

from deploy.doctor.patient import asking, read
from deploy.doctor.verdict import Verdict, fine, warn, wrong
from deploy.doctor.wire import AskRights
from deploy.groups import READS
from deploy.rights.topics import NEEDS, SERVICES, Right
from schema.kafka.topics import TOPICS
from schema.ops.settings import KafkaSettings
from workers.relay.publish import TRANSACTIONAL_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.doctor.patient import Ask

BITS: Final = {"Read": 3, "Write": 4}
"""Operation -> its number: org.apache.kafka.common.acl.AclOperation."""

NOBODY: Final = 1 << 62
"""A producer's id that Kafka has given to nobody."""

NAMED: Final = 4


async def check_access() -> Verdict:
    """Look which rights are missing, and to whom."""
    user = read(KafkaSettings, "KAFKA_BOOTSTRAP_SERVERS").kafka_sasl_username
    async with asking() as (ask, brokers):
        held = await _find_topics(ask, brokers[0])
        held |= await _find_others(ask, brokers[0])
    return judge_access(
        {name: sorted(NEEDS[name] - held) for name in SERVICES}, user=user or "ANONYMOUS"
    )


async def _find_topics(ask: Ask, broker: int) -> set[Right]:
    answer = await ask(broker, AskRights([topic.name for topic in TOPICS]))
    held = set[Right]()
    for code, name, *_, operations in answer.topics:
        # A topic that is missing is another check's to tell.
        missing = code == 3
        held |= {
            Right(operation=operation, kind="topic", name=name)
            for operation, bit in BITS.items()
            if missing or (not code and operations >> bit & 1)
        }
    return held


async def _find_others(ask: Ask, broker: int) -> set[Right]:
    held = set[Right]()
    for group in READS:
        answer = await ask(broker, HeartbeatRequest(group, -1, "nobody"))
        if answer.error_code != GroupAuthorizationFailedError.errno:
            held.add(Right(operation="Read", kind="group", name=group))
    answer = await ask(broker, EndTxnRequest(TRANSACTIONAL_ID, NOBODY, 0, False))
    if answer.error_code != TransactionalIdAuthorizationFailed.errno:
        held.add(Right(operation="Write", kind="transactional-id", name=TRANSACTIONAL_ID))
    return held


def judge_access(missing: Mapping[str, Sequence[Right]], *, user: str) -> Verdict:
    """Return who could not do their work as `user`; with a user for each process, some cannot."""
    short = {name: rights for name, rights in missing.items() if rights}
    if not short:
        return fine(f"{', '.join(missing)} have all their rights")
    process, rights = min(short.items(), key=lambda each: len(each[1]))
    told = "; ".join(f"{name} lacks {_tell(rights)}" for name, rights in short.items())
    first = rights[0]
    alike = [
        each for each in rights if (each.operation, each.kind) == (first.operation, first.kind)
    ]
    fix = (
        'kafka-acls.sh --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" --add --allow-principal'
        f" User:{user} --operation {first.operation} "
        + " ".join(f"--{each.kind} {each.name}" for each in alike)
    )
    if len(short) < len(missing):
        return warn(f"As {user} {told}.", f"{fix} if the {process} runs as this user.")
    return wrong(f"As {user} {told}.", fix)


def _tell(rights: Sequence[Right]) -> str:
    rest = len(rights) - NAMED
    told = ", ".join(f"{each.operation} {each.kind} {each.name}" for each in rights[:NAMED])
    return told + (f" and {rest} more" if rest > 0 else "")
