"""Step 4: ingest has the signing secret of the endpoint, proved by a canary through the URL."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from deploy.canary.fly import write_canary
from deploy.connect.visit import SECRET, StepError, remember
from deploy.post import Delivery, opened_session, post
from deploy.sign import new_event_id
from ingest.verify import TOLERANCE_S, build_webhooks
from schema.kafka.changes import CANARY_PREFIX
from schema.ops.variables import find_variable

if TYPE_CHECKING:
    from deploy.connect.visit import Visit
    from deploy.connect.watch import Watcher
    from deploy.post import Answer

WITHIN_S: Final = 10.0
"""A canary that is not there after so long does not come."""

_WHERE: Final = "Clerk's dashboard, Webhooks, the endpoint, Signing Secret"
_REASONS: Final = {
    "STALE_TIMESTAMP": f"The clocks of this machine and of ingest's are more than {TOLERANCE_S} s"
    " apart. Let NTP set both.",
    "MISSING_HEADER": "The tunnel does not pass the svix- headers on. Take another, or let it pass"
    " all headers.",
    "MALFORMED_SIGNATURE": "The tunnel changes the svix- headers. Take another.",
    "UNSUPPORTED_MEDIA_TYPE": "The tunnel changes Content-Type or Content-Encoding. Take another.",
    "BROKER_UNAVAILABLE": "Ingest takes it, and Kafka does not. See clerkwork doctor.",
    "RATE_LIMITED": "Ingest holds this machine off for a minute: too many were refused. Wait.",
    "quarantined": "Ingest serves another instance: its CLERK_INSTANCE_ID is not that of the key.",
    "no answer": "Nobody answered. Is the tunnel still up?",
}


async def prove_secret(visit: Visit, watcher: Watcher, *, url: str, instance_id: str) -> None:
    """Return when ingest takes what the secret has signed. Raises StepError."""
    for secret in _read_secrets(visit):
        delivery = _make_canary(instance_id)
        began_s = time.perf_counter()
        answer = await _post(url, delivery, secret)
        if answer.code != "accepted":
            raise StepError(await _explain(answer, watcher, delivery, secret))
        took_ms = (time.perf_counter() - began_s) * 1000
        visit.done(f"Ingest has this signing secret: a canary was accepted in {took_ms:.0f} ms.")
        await _follow(visit, watcher, delivery.event_id)


def _read_secrets(visit: Visit) -> tuple[str, ...]:
    known = find_variable(SECRET)
    if known is None:
        question = f"The signing secret ({_WHERE})"
        known = visit.person.ask_secret(question, instead=f"set {SECRET}")
        remember(SECRET, known)
    secrets = tuple(each.strip() for each in known.split(",") if each.strip())
    try:
        build_webhooks(secrets)
    except ValueError:
        secrets = ()
    if not secrets:
        os.environ.pop(SECRET, None)
        raise StepError(f"That is no signing secret: it is whsec_ and base64. See {_WHERE}.")
    return secrets


def _make_canary(instance_id: str) -> Delivery:
    now_ms = time.time_ns() // 1_000_000
    body = write_canary(f"{CANARY_PREFIX}-connect", now_ms, instance_id=instance_id)
    return Delivery(event_id=new_event_id(), body=body)


async def _post(url: str, delivery: Delivery, secret: str) -> Answer:
    async with opened_session() as session:
        return await post(session, url, delivery, secret=secret)


async def _explain(answer: Answer, watcher: Watcher, delivery: Delivery, secret: str) -> str:
    if answer.code != "INVALID_SIGNATURE":
        told = _REASONS.get(answer.code, "That is not how ingest answers.")
        return f"The canary was answered {answer.status} {answer.code}. {told}"
    direct = await _post(str(watcher.settings.canary_ingest_url), delivery, secret)
    if direct.code == "accepted":
        return (
            "The tunnel changes bodies on their way: the same canary is accepted by ingest itself,"
            " and not through the public address. Take a tunnel that passes them byte for byte."
        )
    rest = (
        "" if direct.code == "INVALID_SIGNATURE" else " Or the tunnel changes bodies on their way."
    )
    return (
        f"Ingest has another signing secret: it answers 401 INVALID_SIGNATURE. Set {SECRET} to"
        f" that of the endpoint ({_WHERE}) where ingest runs, and start it again.{rest}"
    )


async def _follow(visit: Visit, watcher: Watcher, event_id: str) -> None:
    if not await watcher.sees(event_id, within_s=WITHIN_S):
        raise StepError(
            "The canary is not in the Kafka of KAFKA_BOOTSTRAP_SERVERS: the public address leads to"
            " another clerkwork."
        )
    outcome = await watcher.wait_for_outcome(event_id, within_s=WITHIN_S)
    if outcome is None:
        visit.tell(
            f"No worker has applied it within {WITHIN_S:.0f} s: start clerkwork worker. Nothing is"
            " lost meanwhile."
        )
        return
    visit.done(f"A worker has dealt with it, {outcome.took_ms:.0f} ms after it came.")
