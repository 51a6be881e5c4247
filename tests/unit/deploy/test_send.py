"""What `send` sends, and where."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from deploy.errors import OperatorError
from deploy.home import Home, Running
from deploy.post import AT_ONCE, Answer, Delivery, paced
from deploy.send import Order, find_target, make_deliveries

if TYPE_CHECKING:
    from pathlib import Path

NOW_MS = 1_790_000_000_000
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def _make_order(**changes: Any) -> Order:
    return Order(
        **{
            "types": ("user.created",),
            "count": 10,
            "duplicates": 0,
            "shuffle": False,
            "seed": 7,
            **changes,
        }
    )


def _ids(deliveries: list[Delivery]) -> list[str]:
    return [json.loads(delivery.body)["data"]["id"] for delivery in deliveries]


def test_a_seed_tells_of_the_same_people() -> None:
    """So that user.updated can be sent after user.created; the svix-ids are new all the same."""
    first = make_deliveries(_make_order(), now_ms=NOW_MS)
    second = make_deliveries(_make_order(types=("user.updated",)), now_ms=NOW_MS)

    assert _ids(first) == _ids(second)
    assert not {each.event_id for each in first} & {each.event_id for each in second}


def test_types_are_taken_in_turn() -> None:
    """Ten events of two types are five of each."""
    deliveries = make_deliveries(_make_order(types=("user.created", "user.deleted")), now_ms=NOW_MS)

    types = Counter(json.loads(delivery.body)["type"] for delivery in deliveries)
    assert types == {"user.created": 5, "user.deleted": 5}


def test_a_duplicate_has_the_same_id_and_the_same_bytes() -> None:
    """That is what a redelivery is."""
    deliveries = make_deliveries(_make_order(duplicates=4), now_ms=NOW_MS)

    assert len(deliveries) == 14
    assert len({(each.event_id, each.body) for each in deliveries}) == 10


def test_shuffling_changes_the_order_and_nothing_else() -> None:
    """The same people come, in another order, the same for the same seed."""
    straight = _ids(make_deliveries(_make_order(), now_ms=NOW_MS))
    shuffled = _ids(make_deliveries(_make_order(shuffle=True), now_ms=NOW_MS))

    assert shuffled != straight
    assert sorted(shuffled) == sorted(straight)
    assert shuffled == _ids(make_deliveries(_make_order(shuffle=True), now_ms=NOW_MS))


def test_nothing_is_nothing() -> None:
    """No events, no duplicates of them either."""
    assert make_deliveries(_make_order(count=0, duplicates=3), now_ms=NOW_MS) == []


def test_the_running_clerkwork_is_the_target(tmp_path: Path) -> None:
    """Without options, send finds address and secret of the `up` of the same home."""
    home = Home(directory=tmp_path)
    home.remember(Running(pid=os.getpid(), ingest="http://here/webhooks", api="http://here"))

    target = find_target(to=None, secret=None, home=home)

    assert (target.url, target.secret) == ("http://here/webhooks", home.signing_secret())


def test_a_clerkwork_that_has_ended_is_no_target(tmp_path: Path) -> None:
    """What a killed `up` left behind misleads nobody."""
    home = Home(directory=tmp_path)
    home.remember(Running(pid=2**22 + 1, ingest="http://here/webhooks", api="http://here"))

    with pytest.raises(OperatorError, match="No clerkwork runs here"):
        find_target(to=None, secret=None, home=home)


def test_who_leaves_forgets_only_itself(tmp_path: Path) -> None:
    """Of two that share a home the later one is remembered, until it leaves."""
    home = Home(directory=tmp_path)
    home.remember(Running(pid=os.getppid(), ingest="http://other/", api="http://other"))
    home.forget()
    assert home.recall()

    home.remember(Running(pid=os.getpid(), ingest="http://here/", api="http://here"))
    home.forget()
    assert home.recall() is None


def test_another_address_needs_its_own_secret(tmp_path: Path) -> None:
    """Our own secret would only be refused there."""
    with pytest.raises(OperatorError, match="--secret"):
        find_target(to="http://there/", secret=None, home=Home(directory=tmp_path))


def test_of_several_secrets_the_first_signs(tmp_path: Path) -> None:
    """CLERK_WEBHOOK_SIGNING_SECRET holds several during a rotation."""
    target = find_target(
        to="http://there/", secret=f"{SECRET}, whsec_b2xk", home=Home(directory=tmp_path)
    )

    assert target.secret == SECRET


def test_a_mistyped_secret_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """One message, not one for each webhook."""
    with pytest.raises(OperatorError, match="whsec_ and base64"):
        find_target(to="http://there/", secret="whsec_%%%%", home=Home(directory=tmp_path))


async def test_pacing_keeps_the_order_and_a_bound() -> None:
    """Tasks begin one after the other, never more than AT_ONCE of them together."""
    begun, running, most = list[int](), 0, 0

    async def task(number: int) -> None:
        nonlocal running, most
        begun.append(number)
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await paced((partial(task, number) for number in range(3 * AT_ONCE)), per_second=None)

    assert begun == list(range(3 * AT_ONCE))
    assert 1 < most <= AT_ONCE


async def test_a_rate_is_kept() -> None:
    """Twenty at two hundred a second take at least nineteen pauses of 5 ms."""
    loop = asyncio.get_running_loop()
    begin = loop.time()

    async def task() -> None:
        pass

    await paced((task for _ in range(20)), per_second=200)

    assert loop.time() - begin >= 0.095


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(status=202, body={"status": "accepted"}), "accepted"),
        (Answer(status=401, body={"error": {"code": "INVALID_SIGNATURE"}}), "INVALID_SIGNATURE"),
        (Answer(status=502), "other"),
        (Answer(status=None), "no answer"),
    ],
)
def test_answers_have_names(answer: Answer, code: str) -> None:
    """Ours and those of strangers alike."""
    assert answer.code == code
