"""What is kept, what is loaded, and what is let go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from api.cache import reads
from api.database import DatabaseUnavailableError
from schema.http.errors import HttpError
from tests.unit.api.cache.conftest import loaded

if TYPE_CHECKING:
    from api.cache.reads import Loaded
    from tests.unit.api.cache.conftest import Desk, MakeDesk


def gone() -> HttpError:
    """Return what loading raises of who is not there."""
    return HttpError("USER_NOT_FOUND", "There is no such user.")


async def test_what_is_kept_is_not_loaded_again(desk: Desk) -> None:
    """The second read is a hit, with its age and what is left of its time."""
    first = await desk.read()
    desk.now += 10
    second = await desk.read(body=b"other")

    assert (first.outcome, second.outcome, desk.loads) == ("miss", "hit", 1)
    assert (second.entry, second.age_s, second.ttl_s) == (first.entry, 10, 50)
    assert desk.value("reads_total", endpoint="show_user", outcome="hit") == 1
    assert desk.value("reads_total", endpoint="show_user", outcome="miss") == 1
    assert desk.value("entries") == 1
    assert desk.value("load_seconds_count") == 1


async def test_its_time_ends(desk: Desk) -> None:
    """Then it is loaded anew."""
    await desk.read()
    desk.now += 60
    again = await desk.read(body=b"new")

    assert (again.outcome, again.entry.view.body) == ("miss", b"new")
    assert desk.value("dropped_total", reason="ttl") == 1


async def test_a_change_drops_what_tells_of_it(desk: Desk) -> None:
    """And nothing else."""
    await desk.read("1", tags=("user:1",))
    await desk.read("2", tags=("user:2",))
    await desk.read("3", tags=("user:1", "user:3"))
    desk.cache.drop(("user:1", "users"))

    assert [(await desk.read(key)).outcome for key in "123"] == ["miss", "hit", "miss"]
    assert desk.value("dropped_total", reason="change") == 2


async def test_by_time_alone_no_change_matters(make_desk: MakeDesk) -> None:
    """Nor that nobody tells of changes."""
    desk = make_desk(rules="show_user=60s/time")
    await desk.read()
    desk.cache.drop(("user:1",))
    desk.trusted_until = 0

    assert (await desk.read()).outcome == "hit"


async def test_without_a_rule_nothing_is_kept(make_desk: MakeDesk) -> None:
    """Nor counted."""
    desk = make_desk(rules="")
    found = [await desk.read(), await desk.read()]

    assert desk.loads == 2
    assert not any(each.kept for each in found)


async def test_a_thousand_misses_are_one_load(desk: Desk) -> None:
    """All get what the one brings."""
    go = asyncio.Event()

    async def load() -> Loaded:
        desk.loads += 1
        await go.wait()
        return loaded(b"{}", ())

    tasks = [asyncio.create_task(desk.read_by(load)) for _ in range(1000)]
    await asyncio.sleep(0)
    go.set()
    found = await asyncio.gather(*tasks)

    assert desk.loads == 1
    assert {each.entry.view.body for each in found} == {b"{}"}
    assert desk.value("reads_total", endpoint="show_user", outcome="joined") == 999


async def test_a_leader_who_goes_does_not_take_it_from_the_others(desk: Desk) -> None:
    """What is being loaded is everybody's."""
    go = asyncio.Event()

    async def load() -> Loaded:
        desk.loads += 1
        await go.wait()
        return loaded(b"{}", ())

    leader, follower = (asyncio.create_task(desk.read_by(load)) for _ in range(2))
    await asyncio.sleep(0)
    leader.cancel()
    await asyncio.gather(leader, return_exceptions=True)
    go.set()

    assert leader.cancelled()
    assert (await follower).outcome == "joined"
    assert desk.loads == 1
    assert (await desk.read()).outcome == "hit"


async def test_an_error_reaches_all_and_is_not_kept(desk: Desk) -> None:
    """The next one tries again."""

    async def fail() -> Loaded:
        desk.loads += 1
        await asyncio.sleep(0)
        raise gone()

    found = await asyncio.gather(*(desk.read_by(fail) for _ in range(3)), return_exceptions=True)

    assert [getattr(each, "code", None) for each in found] == ["USER_NOT_FOUND"] * 3
    assert desk.loads == 1
    assert (await desk.read()).outcome == "miss"


async def test_what_was_not_there_may_be_there_since(desk: Desk) -> None:
    """Who asks after a change does not get the 404 of who asked before it."""
    go = asyncio.Event()

    async def fail() -> Loaded:
        await go.wait()
        raise gone()

    early = asyncio.create_task(desk.read_by(fail))
    await asyncio.sleep(0)
    desk.cache.drop(("user:1", "users"))
    late = asyncio.create_task(desk.read(body=b"new"))
    await asyncio.sleep(0)
    go.set()

    with pytest.raises(HttpError):
        await early
    assert (await late).entry.view.body == b"new"


async def test_nothing_is_kept_that_changed_while_it_was_loaded(desk: Desk) -> None:
    """Who asked before gets it, who asks after loads anew."""
    go = asyncio.Event()

    async def load() -> Loaded:
        await go.wait()
        return loaded(b"old", ("user:1",))

    early = asyncio.create_task(desk.read_by(load))
    await asyncio.sleep(0)
    desk.cache.drop(("user:1",))
    late = asyncio.create_task(desk.read(body=b"new"))
    await asyncio.sleep(0)
    go.set()

    assert ((await early).entry.view.body, (await early).kept) == (b"old", False)
    assert (await late).entry.view.body == b"new"
    assert (await desk.read()).entry.view.body == b"new"


async def test_other_changes_do_not_matter_to_a_load(desk: Desk) -> None:
    """However many there are; with too many at once all counts as changed."""
    go = asyncio.Event()

    async def load() -> Loaded:
        await go.wait()
        return loaded(b"{}", ("user:1",))

    for number, kept in ((reads.MAX_LOADS, True), (20_000, False)):
        go.clear()
        desk.cache.drop(("user:1",))
        task = asyncio.create_task(desk.read_by(load))
        await asyncio.sleep(0)
        for other in range(number):
            desk.cache.drop((f"user:{other + 2}",))
        go.set()

        assert (await task).kept == kept


async def test_what_is_not_trusted_is_loaded_again(desk: Desk) -> None:
    """While nobody tells of changes."""
    await desk.read()
    desk.trusted_until = desk.now
    again = await desk.read(body=b"new")
    desk.trusted_until = desk.now + 1

    assert again.outcome == "miss"
    assert (await desk.read()).entry.view.body == b"new"
    assert desk.value("dropped_total", reason="tail_lost") == 1


async def test_when_the_database_is_away_the_old_is_better_than_nothing(desk: Desk) -> None:
    """Marked with how long it has not been fresh, and only for so long."""
    away = DatabaseUnavailableError()
    await desk.read()
    desk.now += 100
    stale = await desk.read(body=away)
    desk.now += 3501

    assert (stale.outcome, stale.age_s, stale.ttl_s) == ("stale", 100, -40)
    assert desk.value("reads_total", endpoint="show_user", outcome="stale") == 1
    with pytest.raises(DatabaseUnavailableError):
        await desk.read(body=away)


async def test_who_is_found_gone_is_not_shown_when_the_database_is_away(desk: Desk) -> None:
    """What was kept is let go with the 404."""
    await desk.read()
    desk.trusted_until = 0
    with pytest.raises(HttpError, match="no such user"):
        await desk.read(body=gone())

    with pytest.raises(DatabaseUnavailableError):
        await desk.read(body=DatabaseUnavailableError())


async def test_a_database_that_hangs_is_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """For whom there is an old answer; the load goes on, and its answer is kept."""
    monkeypatch.setattr(reads, "PATIENCE_S", 0.01)
    go = asyncio.Event()

    async def load() -> Loaded:
        await go.wait()
        return loaded(b"new", ())

    await desk.read(body=b"old")
    desk.trusted_until = 0
    stale = await desk.read_by(load)
    go.set()
    fresh = await desk.read_by(load)

    assert (stale.entry.view.body, stale.outcome) == (b"old", "stale")
    assert fresh.entry.view.body == b"new"


async def test_too_much_at_once_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loads in flight are bounded."""
    monkeypatch.setattr(reads, "MAX_LOADS", 1)
    go = asyncio.Event()

    async def load() -> Loaded:
        await go.wait()
        return loaded(b"{}", ())

    first = asyncio.create_task(desk.read_by(load))
    await asyncio.sleep(0)
    with pytest.raises(DatabaseUnavailableError):
        await desk.read("2")
    go.set()

    assert (await first).kept


async def test_room_is_made_for_what_is_asked_for(make_desk: MakeDesk) -> None:
    """The one not asked for the longest goes first, with all that leads to it."""
    desk = make_desk(max_bytes=3 * 2048)
    for key in "123":
        await desk.read(key, body=b"x" * 1024, tags=("user:1",))
    await desk.read("1")
    await desk.read("4", body=b"x" * 1024, tags=("user:4",))

    assert [(await desk.read(key)).outcome for key in "134"] == ["hit"] * 3
    assert desk.value("bytes") <= 3 * 2048
    assert desk.value("dropped_total", reason="size") == 1
    desk.cache.drop(("user:1",))
    desk.cache.drop(("user:4",))
    assert (desk.value("entries"), desk.value("bytes")) == (0, 0)


async def test_the_large_is_not_kept(desk: Desk) -> None:
    """It would push out all others."""
    found = await desk.read(body=b"x" * (1 << 20))

    assert not found.kept
    assert desk.value("entries") == 0


async def test_filling_takes_no_room_from_others_and_nothing_outdated(make_desk: MakeDesk) -> None:
    """What is read ahead counts for less than what was asked for."""
    desk = make_desk(max_bytes=3 * 2048)
    await desk.read("0", body=b"x" * 1024, tags=("user:0",))

    async def load_all() -> dict[str, Loaded]:
        desk.cache.drop(("user:1",))
        return {key: loaded(b"x" * 1024, (f"user:{key}",)) for key in "1234"}

    assert await desk.cache.fill("show_user", load_all) == 2
    assert [(await desk.read(key)).outcome for key in "02341"] == [
        *("hit", "hit", "hit"),
        *("miss", "miss"),
    ]


async def test_closing_ends_what_is_being_loaded(desk: Desk) -> None:
    """Nothing outlives the application."""

    async def load() -> Loaded:
        await asyncio.Event().wait()
        return loaded(b"", ())

    task = asyncio.create_task(desk.read_by(load))
    await asyncio.sleep(0)
    await desk.cache.close()
    await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()
