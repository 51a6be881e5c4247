"""No secret lies in the repository: what looks like one is known, and opens nothing."""

from __future__ import annotations

import hashlib
import re
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from deploy.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATTERNS: Final[Mapping[str, str]] = {
    "private key": r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s*[A-Za-z0-9+/=\s\\]{64}",
    "signing secret of Svix": r"whsec_[A-Za-z0-9+/]{24,}={0,2}",
    "secret key of Clerk or Stripe": r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
    "machine's or API key of Clerk": r"(?:ak|mt|oat)_[A-Za-z0-9]{24,}",
    "JWT": r"eyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "password in a URL": r"://[\w.-]+:(?!(?:password|secret|hunter2|clerkwork)@)[^\s:/@\"'`{}<>$*…|\\)]{3,}@[\w.\[]",
    "AWS": r"(?:AKIA|ASIA)[0-9A-Z]{16}",
    "GitHub": r"(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,})",
    "GitLab": r"glpat-[\w-]{20,}",
    "Slack": r"xox[abprs]-[\w-]{10,}",
    "Google": r"AIza[\w-]{35}",
    "npm": r"npm_[A-Za-z0-9]{36}",
    "package index": r"pypi-AgE[\w-]{50,}",
}
"""As scanners have them (github.com/gitleaks/gitleaks), and those of whom we work with."""

KNOWN: Final[Mapping[str, str]] = {
    "96ad2ccd8146": "signs what tests send",
    "2dd745ff9912": "the second secret of tests of rotation",
    "705ccba52290": "says of itself that it is a test's",
    "56ab2d6d0a99": "the same",
}
"""The beginning of the SHA-256 of what was found -> what it is."""


def find(text: str) -> Iterator[tuple[str, str]]:
    """Yield what looks like a secret: of what kind, and its name among the known."""
    for kind, pattern in PATTERNS.items():
        for found in re.finditer(pattern, text):
            yield kind, hashlib.sha256(found[0].encode()).hexdigest()[:12]


def read_tracked() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each file that git knows."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"],  # noqa: S607  # whichever is installed
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no secrets looked for: git does not say what the files are")
    for name in filter(None, listed.decode().split("\0")):
        path = ROOT / name
        if path.is_file():
            yield name, path.read_text(errors="replace")


def test_the_repository_holds_no_secret() -> None:
    """Those of tests and examples are known by what they are."""
    found: dict[str, list[str]] = {}
    for name, text in read_tracked():
        for kind, known_as in find(text):
            found.setdefault(known_as, []).append(f"{kind} in {name}")

    assert {key: places for key, places in found.items() if key not in KNOWN} == {}
    assert [why for key, why in KNOWN.items() if key not in found] == []  # nothing is known in vain


@pytest.mark.parametrize("kind", PATTERNS)
def test_a_planted_secret_is_found(kind: str) -> None:
    """In the middle of a line of code; written here in two pieces, so that this file holds none."""
    planted = {
        "private key": "-----BEGIN RSA PRIV" + "ATE KEY-----\n" + "MIIEpAIBAAKCAQEA" * 4,
        "signing secret of Svix": "whsec" + "_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx",
        "secret key of Clerk or Stripe": "sk_li" + "ve_4eC39HqLyjWDarjtT1zdp7dc",
        "machine's or API key of Clerk": "ak" + "_0123456789abcdefghijABCD",
        "JWT": "eyJhbGciOiJSUzI1NiJ9AA." + "eyJzdWIiOiJ1c2VyXzEifQ." + "a" * 43,
        "password in a URL": "postgresql://clerk:" + "correct-horse@db.example.com/x",
        "AWS": "AKIA" + "IOSFODNN7EXAMPLF",
        "GitHub": "ghp" + "_" + "a1" * 18,
        "GitLab": "glpat" + "-" + "a1" * 10,
        "Slack": "xoxb" + "-1234567890-abc",
        "Google": "AIza" + "a1" * 17 + "b",
        "npm": "npm" + "_" + "a1" * 18,
        "package index": "pypi-" + "AgE" + "a1" * 25,
    }

    assert [found for found, _ in find(f'    key = "{planted[kind]}"  # here')] == [kind]
