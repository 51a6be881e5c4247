"""An operator at the desk in a real browser, on real servers: from a sign-in to the audit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest
from selenium.common.exceptions import TimeoutException
from selenium.webdriver import Keys
from selenium.webdriver.support.ui import WebDriverWait

from deploy.stack.ports import free_port
from tests.browser.desk_serving import TELEPHONE, TOO_WIDE
from tests.desk import insert_admin, make_token, serving_desk
from tests.factories import new_user_id
from tests.letters import FIX, die, find_letters, find_outcomes
from tests.waiting import until
from workers.app import running_worker
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg
    from aiokafka import AIOKafkaProducer

    from tests.browser.conftest import Browser

    Database = asyncpg.Connection[asyncpg.Record]

_FOCUSED: Final = """
const it = document.activeElement;
return it === document.body ? '' : `${it.name || ''} ${it.textContent}`.trim()
"""
_TEXT: Final = "return document.querySelector('main').innerText"


class Operator:
    """Somebody with a keyboard and nothing else."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser = browser
        self._address = address

    def come(self, path: str, *, width: int = 1200) -> None:
        """Write an address into the browser's bar."""
        self._browser.open(f"{self._address}{path}", width=width)

    def go_to(self, named: str) -> None:
        """Go on with the tabulator to what has this name."""
        stops = []
        for _ in range(150):
            self._browser.press(Keys.TAB)
            stops.append(self._browser.ask(_FOCUSED))
            if named in stops[-1]:
                return
        raise AssertionError(f"{named} is none of {stops}")

    def press(self, named: str, *, arrives: str) -> str:
        """Go to a link or a button, press it, and return what the page says that comes."""
        self.go_to(named)
        return self.type(Keys.ENTER, arrives=arrives)

    def type(self, *keys: str, arrives: str = "") -> str:
        """Type; return what the page says that comes, where one does."""
        for each in keys:
            self._browser.press(each)
        return self.see(arrives) if arrives else ""

    def see(self, words: str) -> str:
        """Return what the page says, once it says this."""

        def look(_: Any) -> str | None:
            # A page that is just going away has no body.
            said = self._browser.ask("return document.querySelector('main')?.innerText || ''")
            return said if words in said else None

        try:
            return str(WebDriverWait(self._browser.driver, 20, poll_frequency=0.05).until(look))
        except TimeoutException:
            raise AssertionError(f"{words} is not in: {self._browser.ask(_TEXT)}") from None

    def at(self) -> str:
        """Return the path of the page."""
        return self._browser.driver.current_url.removeprefix(self._address)


@pytest.fixture
async def worker(
    bootstrap_servers: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """A worker on this test's database."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("WORKER_METRICS_PORT", str(free_port()))
    async with running_worker(WorkerSettings()):
        yield


@pytest.fixture
async def operator(
    bootstrap_servers: str, database_url: str, browser: Browser
) -> AsyncIterator[Operator]:
    """Somebody before a desk on this test's database."""
    async with serving_desk(bootstrap_servers, database_url) as server:
        yield Operator(browser, str(server.make_url("")).rstrip("/"))
        await asyncio.to_thread(browser.driver.get, "about:blank")
        await asyncio.to_thread(browser.driver.delete_all_cookies)


def _sign_in(operator: Operator, admin: str, *, path: str = "/") -> None:
    operator.come(path)
    operator.go_to("token")
    operator.type(make_token(admin))
    operator.press("Sign in", arrives="Pipeline" if path == "/" else "")


@pytest.mark.usefixtures("worker")
async def test_an_event_is_found_mended_and_replayed_by_keyboard(
    producer: AIOKafkaProducer, database: Database, operator: Operator
) -> None:
    """From the sign-in over a trace and a dead letter to the audit; no mouse is touched."""
    admin, user = await insert_admin(database), new_user_id()
    ids = await die(producer, database, user, count=3)

    def mend() -> str:
        _sign_in(operator, admin)
        trace = operator.type("/", ids[0], Keys.ENTER, arrives="Trace")
        assert operator.at() == f"/events/{ids[0]}"
        assert "dead" in trace
        letter = operator.press("Became a dead letter", arrives="Payload")
        assert "•••" in letter
        assert "Faulty" not in letter
        operator.go_to("assignment")
        operator.type('data.first_name="Mended"')
        difference = operator.press("Show the difference", arrives="Send it like this?")
        assert "Faulty" in difference
        assert "Mended" in difference
        assert "finished" in operator.press("Send to clerk.user-events", arrives="1 of 1 letters")
        return operator.at()

    edited = await asyncio.to_thread(mend)
    await until(lambda: find_outcomes(database, ids[:1]), lambda found: found == {"applied"})
    await database.execute(FIX)

    def replay() -> str:
        operator.type("g", "l", arrives="Dead letters")
        operator.go_to("user")
        operator.type(user, Keys.ENTER, arrives="2 match")
        operator.type("j")
        plan = operator.press("Replay all that match", arrives="Replay 2 letters?")
        assert "Nothing has happened yet" in plan
        assert "(" not in plan  # what was asked for is said in words
        operator.press("Replay 2 letters", arrives="2 of 2 letters")
        operator.see("finished")
        return operator.at()

    replayed = await asyncio.to_thread(replay)
    await until(lambda: find_outcomes(database, ids), lambda found: "dead" not in found)

    def read() -> str:
        operator.come(f"/events/{ids[1]}")
        assert "Replayed" in operator.see("Trace")
        return operator.type("g", "a", arrives="Done")

    audit = await asyncio.to_thread(read)

    assert edited.startswith("/operations/")
    assert replayed.startswith("/operations/")
    assert len(await find_letters(database, user, "replayed")) == 3
    assert audit.count(admin) >= 2
    assert {"replay", "edit"} <= set(audit.split())


@pytest.mark.usefixtures("worker")
async def test_a_letter_is_replayed_without_scripts(
    producer: AIOKafkaProducer, database: Database, operator: Operator, browser: Browser
) -> None:
    """Pages can be read and forms sent; whoever wants to see the end looks again."""
    admin, user = await insert_admin(database), new_user_id()
    ids = await die(producer, database, user, count=2)
    await database.execute(FIX)

    def replay() -> str:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            _sign_in(operator, admin)
            operator.come(f"/letters?user={user}")
            operator.press("Replay all that match", arrives="Replay 2 letters?")
            operator.press("Replay 2 letters", arrives="Progress")
            assert browser.ask("return document.querySelector('[data-script]').hidden")
            return operator.at()
        finally:
            browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    operation = await asyncio.to_thread(replay)
    await until(lambda: find_outcomes(database, ids), lambda found: found == {"applied"})

    def look_again() -> None:
        operator.come(operation)
        operator.see("2 of 2 letters")

    await asyncio.to_thread(look_again)


@pytest.mark.usefixtures("worker")
async def test_a_telephone_shows_the_real_pages_whole(
    producer: AIOKafkaProducer, database: Database, operator: Operator, browser: Browser
) -> None:
    """Real ids and real reasons fit as well as those that were made up."""
    admin, user = await insert_admin(database), new_user_id()
    (event,) = await die(producer, database, user, count=1)
    letter = (await find_letters(database, user))[0]
    place = f"{letter['topic']}/{letter['partition']}/{letter['offset']}"
    paths = (
        *("/", "/events", f"/events?user={user}", f"/events/{event}", f"/letters?user={user}"),
        *(f"/letters/{place}", f"/letters/plan?action=replay&user={user}", "/operations", "/audit"),
        *("/events/none", "/letters/none/0/0"),
    )

    def look() -> None:
        _sign_in(operator, admin)
        for path in paths:
            operator.come(path, width=TELEPHONE)
            assert browser.ask("return innerWidth") == TELEPHONE
            assert (path, browser.ask(TOO_WIDE)) == (path, [False, []])
            assert [each for each in browser.told() if "404" not in each["message"]] == []

    await asyncio.to_thread(look)


async def test_who_is_no_administrator_is_told_so(
    database: Database, operator: Operator, browser: Browser
) -> None:
    """In words, where the token is asked for."""
    nobody = new_user_id()
    del database

    def look() -> None:
        _sign_in(operator, nobody, path="/letters")
        assert operator.see("Sign in to the desk")
        alert = browser.ask("return document.querySelector('[role=alert]').innerText")
        assert "administrator" in alert.lower()
        assert operator.at() == "/sign-in"

    await asyncio.to_thread(look)
