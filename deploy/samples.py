"""Webhooks like Clerk's: the recorded samples, told about other people at other times."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import schema.kafka
from deploy.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

DIRECTORY: Final = Path(schema.kafka.__file__).with_name("samples")

CODE: Final = "424242"
"""The one-time code in the samples of e-mails and text messages."""

_ID: Final = re.compile(r"\b([a-z]+(?:_[a-z]+)*)_37Zq[A-Za-z0-9]{23}\b")
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX_LENGTH: Final = 27
_FIRST_MILLISECONDS: Final = 10**12
"""Numbers from here on are times, in milliseconds: no sample holds any others as large."""

_FIRST_NAMES: Final = (
    *("Ada", "Amir", "Björn", "Chloé", "Dilnoza", "Emeka", "Fatima", "Grace", "Hiro", "Inés"),
    *("Jonas", "Kamala", "Łukasz", "Mei", "Noor", "Olga", "Priya", "Quentin", "Rosa", "Søren"),
    *("Tala", "Uma", "Viktor", "Wanjiru", "Ximena", "Yusuf", "Zoë", "美咲"),
)
_LAST_NAMES: Final = (
    *("Abara", "Bianchi", "Castellanos", "Dvořák", "Eriksen", "Fontaine", "García", "Haddad"),
    *("Iyer", "Jónsdóttir", "Kowalski", "Lindqvist", "Mbeki", "Nakamura", "O'Brien", "Petrov"),
    *("Quispe", "Rahman", "Schäfer", "Tanaka", "Ueda", "Villanueva", "Weiß", "Xu", "佐藤"),
)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Whom an event is about."""

    id: str
    """The clerk user id."""
    first_name: str
    last_name: str
    email: str

    @property
    def username(self) -> str:
        """The local part of the address."""
        return self.email.partition("@")[0]


def invent_person(random: Random) -> Person:
    """Return somebody; the same state of `random` gives the same person."""
    clerk_id = invent_id("user", random)
    return Person(
        id=clerk_id,
        first_name=random.choice(_FIRST_NAMES),
        last_name=random.choice(_LAST_NAMES),
        email=f"person.{clerk_id[-6:].lower()}@example.com",
    )


def invent_id(prefix: str, random: Random) -> str:
    """Return an id in Clerk's spelling."""
    return f"{prefix}_{''.join(random.choices(_ALPHABET, k=_SUFFIX_LENGTH))}"


@cache
def sample_names() -> tuple[str, ...]:
    """Return the names of all samples, which are event types, some with a variant behind."""
    return tuple(sorted(path.stem for path in DIRECTORY.glob("*.json")))


@cache
def _read(name: str) -> str:
    if name not in sample_names():
        raise OperatorError(f"There is no sample of {name}; there is {', '.join(sample_names())}.")
    return (DIRECTORY / f"{name}.json").read_text(encoding="utf-8")


def tell(
    name: str,
    person: Person,
    *,
    at_ms: int,
    words: Mapping[str, str] | None = None,
    ids: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the sample's event as if it had happened to `person` at that time.

    Every id in it becomes another, the same for the same person; `ids` fixes those of a kind
    (`org`), `words` replaces texts. Raises OperatorError when there is no such sample.
    """
    fixed = {"user": person.id} | dict(ids or {})
    text = _ID.sub(lambda found: _rename(found, fixed, person.id), _read(name))
    told: dict[str, Any] = json.loads(_replace(text, _words_about(person) | dict(words or {})))
    _shift(told, at_ms - told["timestamp"])
    return told


def write_event(event: Mapping[str, Any]) -> bytes:
    """Return the body with which an event is sent."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _rename(found: re.Match[str], fixed: Mapping[str, str], salt: str) -> str:
    prefix = found[1]
    if prefix == "ins":
        return found[0]
    return fixed.get(prefix) or f"{prefix}_{_hash(found[0] + salt)}"


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:_SUFFIX_LENGTH])


def _words_about(person: Person) -> dict[str, str]:
    return {
        "nadia.quill@example.com": person.email,
        "tomas.verne@example.org": person.email,
        "nadia.personal@example.org": f"private.{person.email}",
        "Quill-Hart": person.last_name,
        "Quill": person.last_name,
        "Verne": person.last_name,
        "Nadia": person.first_name,
        "Tomas": person.first_name,
        "nadiaq": person.username,
    }


def _replace(text: str, words: Mapping[str, str]) -> str:
    # In one pass, so that no replacement is replaced; the first alternative that fits wins.
    pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.sub(pattern, lambda found: words[found[0]], text)


def _shift(value: Any, by_ms: int) -> Any:
    """Move every time in `value`, in place, and return it."""
    if isinstance(value, dict):
        for key, each in value.items():
            value[key] = _shift(each, by_ms)
    elif isinstance(value, list):
        value[:] = [_shift(each, by_ms) for each in value]
    elif type(value) is int and value >= _FIRST_MILLISECONDS:
        return value + by_ms
    return value
