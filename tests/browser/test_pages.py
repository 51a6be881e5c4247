"""The pages in a real browser: quiet, readable on a telephone, with the keyboard, in the dark."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest
from selenium.webdriver import Keys

from schema.http.faults import FAULTS
from tests.describing import DOCUMENT
from tests.documenting import DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.browser.conftest import Browser

PAGES: Final = ("api /docs", "api /docs/errors", "ingest /docs", "ingest /docs/errors")
PAGES_OF_ALL: Final = (*PAGES, "worker /asyncapi")
"""Process and path of every page there is."""

TELEPHONE: Final = 375
_SHOWN: Final = """
return [...document.querySelectorAll(arguments[0])]
    .filter(each => each.getClientRects().length && each.innerText.trim()).map(each => each.id)
"""
_TOO_WIDE: Final = """
const wide = [...document.querySelectorAll('body *')]
    .filter(each => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest('.skip'));
return [document.documentElement.scrollWidth > innerWidth, wide.map(each => each.outerHTML)]
"""
_SMALL: Final = """
return [...document.querySelectorAll('p, td, dd, li, pre, summary')]
    .filter(each => parseFloat(getComputedStyle(each).fontSize) < 12).map(each => each.outerHTML)
"""
_LOST: Final = """
return [...document.querySelectorAll('a[href^="#"]')]
    .filter(each => !document.getElementById(decodeURIComponent(each.hash.slice(1))))
    .map(each => each.hash)
"""
_TOP: Final = "return document.getElementById(arguments[0]).getBoundingClientRect().top"
_FOCUS: Final = """
const it = document.activeElement;
return [it.tagName, it.getAttribute('href') || '', getComputedStyle(it).outlineStyle]
"""
_COLOURS: Final = """
const shades = colour => colour.match(/[0-9.]+/g).slice(0, 3)
    .map(each => each / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const light = colour => { const [r, g, b] = shades(colour); return 0.2126*r + 0.7152*g + 0.0722*b };
const canvas = document.createElement('div');
canvas.style.setProperty('background-color', 'Canvas'); document.body.append(canvas);
const ground = light(getComputedStyle(canvas).backgroundColor);
const contrast = each => {
    const ink = light(getComputedStyle(each).color);
    return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
};
const all = [...document.querySelectorAll('p, a, dt, dd, th, td, code, pre, summary, .method')];
return [ground, Math.min(...all.map(contrast))]
"""


def _url(pages: Mapping[str, str], page: str) -> str:
    process, path = page.split()
    return f"{pages[process]}{path}"


@pytest.mark.parametrize("page", PAGES_OF_ALL)
async def test_a_page_is_quiet(browser: Browser, pages: Mapping[str, str], page: str) -> None:
    """Nothing in the console, no violation of the policy, and no request but the page itself."""
    url = _url(pages, page)

    def look() -> None:
        browser.open(url)
        assert browser.ask("return document.readyState") == "complete"
        assert browser.ask("return document.styleSheets.length") == 1
        assert browser.told() == []
        assert [each for each in browser.requested() if each != "about:blank"] == [url]

    await asyncio.to_thread(look)


async def test_a_violation_would_be_seen(browser: Browser, pages: Mapping[str, str]) -> None:
    """What the page must not do does not happen, and stands in the console."""

    def look() -> None:
        browser.open(_url(pages, "api /docs"))
        browser.ask("""
            const image = document.createElement('img'); image.src = 'http://127.0.0.2/x.png';
            document.body.append(image);
            document.body.setAttribute('style', 'color: red');
        """)
        told = " ".join(each["message"] for each in browser.told())
        assert "img-src" in told or "default-src" in told
        assert "style-src" in told
        assert browser.ask("return getComputedStyle(document.body).color") == "rgb(0, 0, 0)"

    await asyncio.to_thread(look)


@pytest.mark.parametrize("service", DOCUMENTS)
async def test_every_operation_is_shown(
    browser: Browser, pages: Mapping[str, str], service: str
) -> None:
    """And every schema; nothing that is in the document is hidden."""
    paths = DOCUMENTS[service]["paths"].values()
    operations = {each["operationId"] for methods in paths for each in methods.values()}

    def look() -> None:
        browser.open(f"{pages[service]}/docs")
        assert set(browser.ask(_SHOWN, "article")) == {
            *operations,
            *DOCUMENTS[service]["components"]["schemas"],
        }

    await asyncio.to_thread(look)


async def test_every_code_and_every_topic_is_shown(
    browser: Browser, pages: Mapping[str, str]
) -> None:
    """On the pages that are about them."""

    def look() -> None:
        browser.open(_url(pages, "api /docs/errors"))
        assert set(browser.ask(_SHOWN, "article")) == FAULTS.keys()
        browser.open(_url(pages, "worker /asyncapi"))
        assert set(browser.ask(_SHOWN, "section[id]")) >= DOCUMENT["channels"].keys()

    await asyncio.to_thread(look)


@pytest.mark.parametrize("page", PAGES_OF_ALL)
async def test_a_telephone_shows_it_whole(
    browser: Browser, pages: Mapping[str, str], page: str
) -> None:
    """Nobody has to scroll sideways, also with every example unfolded, or to strain their eyes."""

    def look() -> None:
        browser.open(_url(pages, page), width=TELEPHONE)
        browser.ask("document.querySelectorAll('details').forEach(each => { each.open = true })")
        assert browser.ask("return innerWidth") == TELEPHONE
        assert browser.ask(_TOO_WIDE) == [False, []]
        assert browser.ask(_SMALL) == []

    await asyncio.to_thread(look)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("page", PAGES_OF_ALL)
async def test_it_is_readable_by_day_and_by_night(
    browser: Browser, pages: Mapping[str, str], page: str, *, dark: bool
) -> None:
    """The system's preference decides; WCAG 2.2 wants a contrast of 4.5 (1.4.3)."""

    def look() -> None:
        browser.open(_url(pages, page), dark=dark)
        ground, contrast = browser.ask(_COLOURS)
        assert (ground < 0.1) is dark
        assert contrast >= 4.5

    await asyncio.to_thread(look)


@pytest.mark.parametrize("page", PAGES)
async def test_the_keyboard_reaches_everything(
    browser: Browser, pages: Mapping[str, str], page: str
) -> None:
    """The first stop skips the contents; every stop is marked; links and examples open."""

    def look() -> None:
        browser.open(_url(pages, page))
        browser.press(Keys.TAB)
        tag, target, _ = browser.ask(_FOCUS)
        assert (tag, target[0]) == ("A", "#")
        browser.press(Keys.ENTER)
        assert browser.ask("return location.hash") == target
        assert abs(browser.ask(_TOP, target[1:])) < 200
        for _ in range(12):
            browser.press(Keys.TAB)
            tag, _, outline = browser.ask(_FOCUS)
            assert tag in {"A", "PRE", "SUMMARY"}
            assert outline != "none"

    await asyncio.to_thread(look)


async def test_the_keyboard_unfolds_examples(browser: Browser, pages: Mapping[str, str]) -> None:
    """A press opens one, another closes it."""

    def look() -> None:
        browser.open(_url(pages, "api /docs"))
        browser.ask("document.querySelector('summary').focus()")
        for is_open in (True, False):
            browser.press(Keys.ENTER)
            assert browser.ask("return document.querySelector('details').open") is is_open

    await asyncio.to_thread(look)


@pytest.mark.parametrize("page", PAGES_OF_ALL)
async def test_every_anchor_leads_to_its_place(
    browser: Browser, pages: Mapping[str, str], page: str
) -> None:
    """Within the page; and an address with an anchor opens there."""

    def look() -> None:
        browser.open(_url(pages, page))
        assert browser.ask(_LOST) == []
        anchors = browser.ask(
            "return [...document.querySelectorAll('nav a')].map(each => each.hash.slice(1))"
        )
        for anchor in (anchors[0], anchors[len(anchors) // 2]):
            browser.open(f"{_url(pages, page)}#{anchor}")
            assert -1 <= browser.ask(_TOP, anchor) < 400

    await asyncio.to_thread(look)


async def test_a_code_leads_to_its_recovery(browser: Browser, pages: Mapping[str, str]) -> None:
    """From an operation to the place of the code on the other page."""

    def look() -> None:
        browser.open(_url(pages, "api /docs"))
        browser.ask("document.querySelector('a[href$=USER_NOT_FOUND]').click()")
        assert browser.ask("return location.pathname + location.hash") == (
            "/docs/errors#USER_NOT_FOUND"
        )
        assert FAULTS["USER_NOT_FOUND"].cause in browser.ask(
            "return document.getElementById('USER_NOT_FOUND').innerText"
        )

    await asyncio.to_thread(look)
