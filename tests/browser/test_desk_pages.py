"""The desk's pages in a real browser: by day and by night, on a telephone, by keyboard."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiohttp.test_utils import TestServer
from selenium.webdriver import Keys

from deploy.desk.render import build_environment
from tests.browser.desk_samples import SAMPLES
from tests.browser.desk_serving import TELEPHONE, TOO_WIDE, build_samples
from tests.browser.samples.made_up import EVENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.browser.conftest import Browser

_ONE_OF_EACH: Final = sorted({each.template: name for name, each in SAMPLES.items()}.values())
"""One sample of each template."""
_CRAMPED: Final = """
const least = each => each.type === 'checkbox' ? 16 : 24;
return [...document.querySelectorAll('a, button, input, select, textarea, summary')]
    .filter(each => each.getClientRects().length && !each.closest('.skip, li, p, dd, td, th'))
    .filter(each => Math.min(each.offsetHeight, each.offsetWidth) < least(each))
    .map(each => each.outerHTML.slice(0, 200))
"""
"""Controls under 24 pixels (WCAG 2.2, 2.5.8), but for links in text and boxes with a label."""
_PALE: Final = """
const shades = colour => colour.match(/[0-9.]+/g).map(Number);
const light = shade => shade.slice(0, 3).map(each => each / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
const ground = each => {
    for (let it = each; it; it = it.parentElement) {
        const shade = shades(getComputedStyle(it).backgroundColor);
        if (shade[3] === undefined || shade[3] === 1) return light(shade);
        if (shade[3] > 0) throw new Error('half transparent: ' + it.outerHTML.slice(0, 100));
    }
    throw new Error('no ground');
};
const contrast = each => {
    const [ink, paper] = [light(shades(getComputedStyle(each).color)), ground(each)];
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
};
const says = each => [...each.childNodes].some(it => it.nodeType === 3 && it.data.trim())
    || ['INPUT', 'TEXTAREA', 'SELECT'].includes(each.tagName);
return [light(shades(getComputedStyle(document.body).backgroundColor)),
    [...document.querySelectorAll('body *')]
        .filter(each => each.getClientRects().length && says(each) && contrast(each) < 4.5)
        .map(each => [contrast(each), each.outerHTML.slice(0, 200)])];
"""
_SHAPE: Final = """
const ids = [...document.querySelectorAll('[id]')].map(each => each.id);
return {
    headings: [...document.querySelectorAll('h1, h2, h3, h4')]
        .filter(each => each.getClientRects().length).map(each => +each.tagName[1]),
    twice: ids.filter((each, at) => ids.indexOf(each) !== at),
    headless: [...document.querySelectorAll('th:not([scope])')].length,
    mains: document.querySelectorAll('main').length,
    title: document.title, language: document.documentElement.lang,
    styled: document.querySelectorAll('[style], style, script:not([src])').length,
    unbound: [...document.querySelectorAll('form[method=post]:not([action="/sign-in"])')]
        .filter(each => !each.querySelector('[name=form_token]')).length,
    timeless: [...document.querySelectorAll('time')].filter(each => !each.dateTime).length,
};
"""
_NAMED: Final = frozenset(
    (
        *("button", "link", "textbox", "searchbox", "checkbox", "combobox", "progressbar", "image"),
        *("navigation", "region", "dialog", "search"),
    )
)
"""Roles that mean nothing without a name."""
_FOCUS: Final = """
const it = document.activeElement, style = getComputedStyle(it), box = it.getBoundingClientRect();
const number = [...document.querySelectorAll('*')].indexOf(it);
return [`${number} ${it.outerHTML.slice(0, 120)}`, style.outlineStyle,
    parseFloat(style.outlineWidth), box.bottom > 0 && box.top < innerHeight]
"""
_STOPS: Final = """
return [...document.querySelectorAll('a, button, input, select, textarea, summary, [tabindex="0"]')]
    .filter(each => each.getClientRects().length && each.type !== 'hidden').length
"""


@pytest.fixture
async def desk() -> AsyncIterator[str]:
    """Serve every sample under its name, with the headers of the desk."""
    async with TestServer(build_samples()) as server:
        yield str(server.make_url("")).rstrip("/")


def _nodes(browser: Browser) -> list[tuple[str, str]]:
    """Return role and name of all that a screen reader is told of."""
    browser.driver.execute_cdp_cmd("Accessibility.enable", {})
    tree: Mapping[str, Any] = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})
    return [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in tree["nodes"]
        if not node["ignored"]
    ]


@pytest.mark.parametrize("name", SAMPLES)
async def test_a_page_is_well_made(browser: Browser, desk: str, name: str) -> None:
    """Quiet in the console, in order, and whatever can be used or passed has a name."""

    def look() -> None:
        browser.open(f"{desk}/{name}")
        assert browser.told() == []
        assert {each.split("?")[0].split("/")[3] for each in browser.requested()[1:]} <= {
            *(name, "static", "operations")
        }
        shape = browser.ask(_SHAPE)
        headings = shape.pop("headings")
        assert headings[0] == 1
        assert headings.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(headings))
        assert shape.pop("title").endswith(" · clerkwork")
        assert shape.pop("language") == "en"
        none = dict.fromkeys(("headless", "unbound", "timeless", "styled"), 0)
        assert shape == {**none, "twice": [], "mains": 1}
        nameless = [role for role, said in _nodes(browser) if role in _NAMED and not said]
        assert nameless == []

    await asyncio.to_thread(look)


@pytest.mark.parametrize("name", SAMPLES)
async def test_a_telephone_shows_it_whole_by_day_and_by_night(
    browser: Browser, desk: str, name: str
) -> None:
    """Nothing is beside the screen, also unfolded, and fingers find what they look for.

    Each text has a contrast of 4.5 with what is behind it (WCAG 2.2, 1.4.3).
    """

    def look() -> None:
        browser.open(f"{desk}/{name}", width=TELEPHONE)
        browser.ask("document.querySelectorAll('details').forEach(each => { each.open = true })")
        assert browser.ask("return innerWidth") == TELEPHONE
        assert browser.ask(TOO_WIDE) == [False, []]
        assert browser.ask(_CRAMPED) == []
        for wish in ("light", "dark"):
            features = [
                {"name": "prefers-color-scheme", "value": wish},
                {"name": "prefers-reduced-motion", "value": "reduce"},  # colours do not fade
            ]
            browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            ground, pale = browser.ask(_PALE)
            assert (ground < 0.1) is (wish == "dark")
            assert pale == []

    await asyncio.to_thread(look)


@pytest.mark.parametrize("name", ["pipeline", "events", "letters", "letter-revealed", "operation"])
async def test_the_keyboard_reaches_everything(browser: Browser, desk: str, name: str) -> None:
    """Every control in its order, each marked and in sight; the first stop skips the places."""

    def look() -> None:
        browser.open(f"{desk}/{name}")
        stops = browser.ask(_STOPS)
        seen = []
        for _ in range(stops):
            browser.press(Keys.TAB)
            stop, style, width, in_sight = browser.ask(_FOCUS)
            assert (style, width >= 2, in_sight) == ("solid", True, True), stop
            seen.append(stop)
        assert "skip" in seen[0]
        assert len(set(seen)) == stops

    await asyncio.to_thread(look)


async def test_the_first_stop_leads_to_the_page(browser: Browser, desk: str) -> None:
    """The places and the search are not passed on each page."""

    def look() -> None:
        browser.open(f"{desk}/letters")
        browser.press(Keys.TAB)
        browser.press(Keys.ENTER)
        assert browser.ask("return document.activeElement.id") == "page"
        browser.press(Keys.TAB)
        assert browser.ask("return document.activeElement.closest('main') !== null")

    await asyncio.to_thread(look)


async def test_keys_move_and_find(browser: Browser, desk: str) -> None:
    """`/` finds, `j` and `k` move in a list, `?` tells the keys; in a field they are letters."""

    def look() -> None:
        browser.open(f"{desk}/events")
        focus = "return document.activeElement.textContent || document.activeElement.name"
        moves = []
        for key in "jjk":
            browser.press(key)
            moves.append(browser.ask(focus))
        assert moves == [f"{EVENT[:-2]}{number:02}" for number in (0, 1, 0)]
        browser.press("/")
        assert browser.ask(focus) == "q"
        browser.press("j?")
        assert browser.ask("return document.activeElement.value") == "j?"
        assert browser.ask("return document.querySelector('dialog').open") is False
        browser.press(Keys.SHIFT + Keys.TAB)
        browser.press("?")
        assert browser.ask("return document.querySelector('dialog').open") is True
        browser.press(Keys.ESCAPE)
        assert browser.ask("return document.querySelector('dialog').open") is False

    await asyncio.to_thread(look)


async def test_a_place_is_two_keys_away(browser: Browser, desk: str) -> None:
    """`g` and the first letter of a place."""

    def look() -> None:
        browser.open(f"{desk}/events")
        browser.press("g")
        browser.press("o")
        assert browser.driver.current_url == f"{desk}/operations"

    await asyncio.to_thread(look)


async def test_progress_is_followed_and_told(browser: Browser, desk: str) -> None:
    """The bar goes on without loading anew, and each tenth is told to who listens."""

    def look() -> None:
        browser.open(f"{desk}/operation")
        told = browser.ask("""
            return new Promise(resolve => {
                const teller = document.querySelector('[data-tell]');
                new MutationObserver(() => resolve([
                    teller.textContent, teller.ariaLive, document.querySelector('progress').value,
                    document.querySelector('progress').nextElementSibling.innerText,
                ])).observe(teller, {childList: true});
            })
        """)
        assert told == ["50 percent is done", "polite", 602, "602 of 1,204 letters (50 %)"]

    await asyncio.to_thread(look)


async def test_a_live_page_follows_until_it_is_paused(browser: Browser, desk: str) -> None:
    """Parts come anew as the server shows them; where somebody is at work, they stay."""

    def look() -> None:
        browser.open(f"{desk}/operations")
        replaced = """
            document.querySelector('#running td').textContent = 'old';
            %s
            return new Promise(resolve => {
                new MutationObserver(() => resolve(
                    document.querySelector('#running td').textContent
                )).observe(document.querySelector('#done').parentNode, {childList: true});
            })
        """
        assert browser.ask(replaced % "") != "old"
        focused = replaced % "document.querySelector('#running a').focus();"
        assert browser.ask(focused) == "old"

    await asyncio.to_thread(look)


async def test_nothing_moves_for_who_wants_no_motion(browser: Browser, desk: str) -> None:
    """Neither chips nor progress."""

    def look() -> None:
        for wish in ("no-preference", "reduce"):
            browser.open(f"{desk}/letters")
            features = [{"name": "prefers-reduced-motion", "value": wish}]
            browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            moving = browser.ask("return document.getAnimations().length")
            assert (moving > 0) is (wish == "no-preference")

    await asyncio.to_thread(look)


async def test_a_trace_can_be_printed(browser: Browser, desk: str) -> None:
    """Without places, search and buttons."""

    def look() -> None:
        browser.open(f"{desk}/event")
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        shown = browser.ask("""
            return ['nav', '.top', 'button', '.trace', 'h1']
                .map(each => document.querySelector(each).getClientRects().length > 0)
        """)
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        assert shown == [False, False, False, True, True]

    await asyncio.to_thread(look)


@pytest.mark.parametrize("name", _ONE_OF_EACH)
async def test_a_page_says_all_without_scripts(browser: Browser, desk: str, name: str) -> None:
    """What a script shows and hides is only what a script is needed for."""

    def look() -> None:
        browser.open(f"{desk}/{name}")
        scripted = {each for each in _nodes(browser) if each[0] in {"heading", "link", "time"}}
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            browser.driver.get(f"{desk}/{name}")
            plain = {each for each in _nodes(browser) if each[0] in {"heading", "link", "time"}}
        finally:
            browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        assert scripted - plain == set()
        assert ("heading", "") not in plain
        assert plain

    await asyncio.to_thread(look)


def test_every_template_has_a_sample() -> None:
    """So that none of them is seen for the first time when it is needed."""
    folder = build_environment({}).list_templates()
    pages = {each for each in folder if not each.startswith("_") and each != "layout.html"}
    assert {each.template for each in SAMPLES.values()} == pages
