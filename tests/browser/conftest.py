"""A real browser without a window, and the real pages."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

import api.app
import ingest.app
from api.settings import ApiSettings
from ingest.settings import IngestSettings
from tests.debian import find_program
from tests.factories import SECRET
from workers.describe.serve import add_description

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

_ARGUMENTS: Final = (
    "--headless=new",
    "--no-sandbox",  # it is root's, here and in containers, and sees our own pages only
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@dataclass(frozen=True)
class Browser:
    """Looks at one page at a time; every call waits for what it asks, within bounds."""

    driver: Chrome

    def open(self, url: str, *, width: int = 1200, dark: bool = False) -> None:
        """Open a page, as wide as said; what the browser told of others is forgotten."""
        self._command("Emulation.setDeviceMetricsOverride", _size(width))
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._command("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get("about:blank")
        self.told()
        self.requested()
        self.driver.get(url)

    def ask(self, script: str, *arguments: object) -> Any:
        """Return what a function body in JavaScript returns."""
        return self.driver.execute_script(script, *arguments)

    def press(self, key: str) -> None:
        """Press a key, wherever the focus is."""
        self.driver.switch_to.active_element.send_keys(key)

    def told(self) -> list[Any]:
        """Return what stands in the console since the last time: errors, violations of policy."""
        return list(self.driver.get_log("browser"))  # type: ignore[no-untyped-call]  # it has no types

    def requested(self) -> list[str]:
        """Return every address that was asked for since the last time."""
        entries = self.driver.get_log("performance")  # type: ignore[no-untyped-call]  # it has no types
        messages = [json.loads(each["message"])["message"] for each in entries]
        return [
            each["params"]["request"]["url"]
            for each in messages
            if each["method"] == "Network.requestWillBeSent"
        ]

    def _command(self, name: str, values: Mapping[str, object]) -> None:
        self.driver.execute_cdp_cmd(name, dict(values))


def _size(width: int) -> Mapping[str, object]:
    return {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}


@contextmanager
def opened_browser(profile: Path) -> Iterator[Browser]:
    """Have a browser while the context lasts."""
    options = ChromeOptions()
    options.binary_location = find_program("chromium", package="chromium")
    for argument in (*_ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = ChromeService(find_program("chromedriver", package="chromium-driver"))
    driver = Chrome(options=options, service=service)
    driver.set_page_load_timeout(30)
    driver.set_script_timeout(10)
    try:
        yield Browser(driver)
    finally:
        driver.quit()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start the browser once."""
    with opened_browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
async def pages() -> AsyncIterator[Mapping[str, str]]:
    """Serve every page; neither Kafka nor PostgreSQL is needed to read. Process -> its address."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    worker = web.Application()
    add_description(worker)
    apps = {
        "api": api.app.build_app(
            ApiSettings(
                database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"), clerk_jwt_key=pem
            )
        ),
        "ingest": ingest.app.build_app(
            IngestSettings(
                kafka_bootstrap_servers="127.0.0.1:1",
                clerk_webhook_signing_secret=(SecretStr(SECRET),),
                clerk_jwt_key=pem,
            )
        ),
        "worker": worker,
    }
    async with AsyncExitStack() as stack:
        addresses = {}
        for name, app in apps.items():
            server = await stack.enter_async_context(TestServer(app))
            addresses[name] = str(server.make_url("")).rstrip("/")
        assert {urlsplit(each).hostname for each in addresses.values()} == {"127.0.0.1"}
        yield addresses
