"""Known vulnerabilities of what the locks name, as the package index publishes advisories.

An audit that was answered nothing says that nothing was found. So a version that is known to be bad
is asked for first: where even of that nothing is known, nobody was asked, and the tests are skipped
and say why.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import pytest

from deploy.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LOCK: Final = ROOT / "deploy/stack.lock"
"""What is in requirements.lock is in it too."""
BAD: Final = "jinja2==2.10"
"""Known to be bad since 2019: CVE-2019-10906."""

ACCEPTED: Final[Mapping[str, str]] = {}
"""Id of an advisory -> why it does no harm here."""


@dataclass(frozen=True)
class Audit:
    """What is known of a list of requirements."""

    found: dict[str, str] = field(default_factory=dict)
    """Id of an advisory -> what it is about."""
    unknown: tuple[str, ...] = ()
    """What nothing could be learned of."""
    asked: int = 0


def audit(requirements: Path, *options: str) -> Audit | None:
    """Ask for advisories; None where nobody answers."""
    ended = subprocess.run(  # noqa: S603  # ours
        [
            *(sys.executable, "-m", "pip_audit", "--requirement", str(requirements)),
            *("--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off"),
            *("--timeout", "5", *options),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    try:
        said: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except ValueError:
        return None
    return Audit(
        found={
            flaw["id"]: f"{each['name']} {each['version']}, fixed in {flaw['fix_versions']}"
            for each in said
            for flaw in each.get("vulns", ())
            if not ACCEPTED.keys() & {flaw["id"], *flaw.get("aliases", ())}
        },
        unknown=tuple(each["name"] for each in said if "skip_reason" in each),
        asked=len(said),
    )


def why_not(directory: Path) -> str:
    """Return why the index cannot be asked; empty where it can."""
    bad = directory / "bad.txt"
    bad.write_text(f"{BAD}\n")
    known = audit(bad)
    if known is None:
        return "no advisories: the package index does not answer"
    return "" if known.found else f"no advisories: the package index has none for {BAD}"


def test_nothing_that_is_locked_is_known_to_be_vulnerable(tmp_path: Path) -> None:
    """Each package was asked for; those accepted have their reasons above."""
    if reason := why_not(tmp_path):
        pytest.skip(reason)

    known = audit(LOCK, "--require-hashes")

    assert known
    assert known.asked > 50
    assert known.found == {}
    assert known.unknown == ()


class _Advisories(BaseHTTPRequestHandler):
    """Answers as OSV does: https://google.github.io/osv.dev/post-v1-query/."""

    def do_POST(self) -> None:  # its name
        """Know one flaw, of one version."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = asked["package"]["name"] + "==" + asked["version"]
        body = json.dumps({"vulns": [FLAW]} if said == BAD else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


FLAW: Final = {
    "id": "PYSEC-2019-217",
    "aliases": ["CVE-2019-10906"],
    "summary": "A sandbox that can be left",
    "details": "In Pallets Jinja before 2.10.1, str.format_map allows a sandbox escape.",
    "modified": "2023-11-08T04:00:52Z",
    "published": "2019-04-07T00:29:00Z",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "jinja2", "purl": "pkg:pypi/jinja2"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.10.1"}]}],
            "versions": ["2.10"],
        }
    ],
}


@pytest.fixture
def advisories() -> Iterator[str]:
    """The address of a service that has one advisory."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Advisories)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_version_that_is_known_to_be_bad_is_found(advisories: str, tmp_path: Path) -> None:
    """Among others that are good."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"aiohttp==3.14.5\n{BAD}\n")

    known = audit(requirements, "--vulnerability-service", "osv", "--osv-url", advisories)

    assert known
    assert list(known.found) == ["PYSEC-2019-217"]
    assert (known.asked, known.unknown) == (2, ())


def test_nobody_answers_is_not_nothing_found(tmp_path: Path) -> None:
    """An audit without an answer is none."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"{BAD}\n")
    nobody = "http://127.0.0.1:1/v1/query"

    assert audit(requirements, "--vulnerability-service", "osv", "--osv-url", nobody) is None
