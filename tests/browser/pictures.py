"""Take the pictures of the desk that the documentation shows: `python -m tests.browser.pictures`.

They show samples, not somebody's data: a run after a change of style tells what it looks like.
"""

from __future__ import annotations

import asyncio
import base64
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp.test_utils import TestServer

from deploy.environment import ROOT
from tests.browser.conftest import opened_browser
from tests.browser.desk_serving import TELEPHONE, build_samples

if TYPE_CHECKING:
    from tests.browser.conftest import Browser

FOLDER: Final = ROOT / "deploy" / "docs" / "images"


class Picture(NamedTuple):
    """A sample, and how it is looked at."""

    sample: str
    width: int
    height: int
    dark: bool


PICTURES: Final = {
    "desk-pipeline": Picture("pipeline", 1280, 900, dark=False),
    "desk-event": Picture("event", 1280, 800, dark=True),
    "desk-letters": Picture("letters", 1280, 1000, dark=False),
    "desk-letter": Picture("letter", 1280, 900, dark=True),
    "desk-operation": Picture("operation", 1280, 480, dark=False),
    "desk-telephone-pipeline": Picture("pipeline", TELEPHONE, 760, dark=False),
    "desk-telephone-event": Picture("event", TELEPHONE, 760, dark=True),
}
"""Name of a file -> what it shows."""


def take(browser: Browser, url: str, picture: Picture) -> bytes:
    """Return a PNG."""
    browser.open(f"{url}{picture.sample}", width=picture.width, dark=picture.dark)
    size = {"width": picture.width, "height": picture.height}
    browser.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {**size, "deviceScaleFactor": 1, "mobile": picture.width == TELEPHONE},
    )
    media = {
        "prefers-color-scheme": "dark" if picture.dark else "light",
        "prefers-reduced-motion": "reduce",  # the same picture again
    }
    features = [{"name": name, "value": value} for name, value in media.items()]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    clip = {"x": 0, "y": 0, **size, "scale": 1}
    answer = browser.driver.execute_cdp_cmd(
        "Page.captureScreenshot",
        {"format": "png", "clip": clip, "captureBeyondViewport": True},
    )
    return base64.b64decode(answer["data"])


async def take_all(folder: Path) -> None:
    """Write every picture into a folder."""
    async with TestServer(build_samples()) as server:
        url = str(server.make_url("/"))

        def run() -> None:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory() as profile, opened_browser(Path(profile)) as browser:
                for name, picture in PICTURES.items():
                    (folder / f"{name}.png").write_bytes(take(browser, url, picture))

        await asyncio.to_thread(run)


if __name__ == "__main__":
    asyncio.run(take_all(FOLDER))
