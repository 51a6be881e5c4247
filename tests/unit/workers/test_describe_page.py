"""The page about the topics: all that the document says, and nothing that could run."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from typing import Any, Final

import pytest

from tests.describing import DOCUMENT
from workers.describe.page import build_page

VOID: Final = {"meta"}
PAGE: Final = build_page(DOCUMENT)


class _Reader(HTMLParser):
    """Collects what a page holds; fails where an element is closed that was not open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        """Everything that can be read."""
        return re.sub(r" ([.,])", r"\1", " ".join(" ".join(self.texts).split()))


def test_it_runs_nothing_and_fetches_nothing() -> None:
    """No scripts, no handlers, no styles of single elements, no addresses but its own."""
    page = _Reader(PAGE)

    assert not page.tags & {"script", "link", "img", "iframe", "object", "form", "base"}
    assert not {name for name in page.attributes if name.startswith("on") or name == "style"}
    assert set(page.links) - {f"#{each}" for each in page.ids} == {"asyncapi.json"}
    assert "url(" not in PAGE
    assert "@import" not in PAGE


def test_every_link_leads_somewhere_and_only_there() -> None:
    """Each topic and each schema has its place."""
    page = _Reader(PAGE)

    assert len(set(page.ids)) == len(page.ids)
    assert set(page.ids) == {*DOCUMENT["channels"], *DOCUMENT["components"]["schemas"]}


def test_it_fits_a_telephone() -> None:
    """The width is the device's, and narrow ones have rules of their own."""
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in PAGE
    assert "@media (max-width" in PAGE


def test_it_says_what_the_document_says() -> None:
    """Keys, partitions, retention, groups, headers and fields with their meaning, examples."""
    text = _Reader(PAGE).text
    said = re.sub(r"`", "", " ".join(_descriptions(DOCUMENT["components"]["schemas"])))

    assert "partitions 12 retention 14 days written by ingest: Publish" in text
    assert "read by worker: Apply events to PostgreSQL, group clerkwork.projector" in text
    assert "retention compacted: the latest record of every key is kept for ever" in text
    assert "key clerk user id: string, at least 1 long headers headers.event" in text
    assert "x-retry-at string, date-time always when it is tried again" in text
    assert "type clerkwork.user.deleted or clerkwork.canary" in text
    assert "ce_dataschema: urn:clerkwork:user.changes:1" in text
    assert (
        "Where type is user.created or user.updated or clerkwork.snapshot.user, data is clerk.User."
        in text
    )
    assert '"email_address": "nadia.quill@example.com"' in text
    assert [word for word in said.split() if word not in text] == []


def _descriptions(value: object) -> list[str]:
    if not isinstance(value, dict):
        return []
    own = value.get("description")
    inner = [each for part in value.values() for each in _descriptions(part)]
    return [*inner, own] if isinstance(own, str) else inner


HOSTILE: Final = '"><script>alert(1)</script>\'&<b onclick="x">`<i>`'


@pytest.mark.parametrize(
    "path",
    [
        "info/title",
        "info/description",
        "channels/user.changes/description",
        "operations/relay.tell.user.changes/title",
        "components/messages/user.changes.state.1/title",
        "components/messages/user.changes.state.1/summary",
        "components/messages/user.changes.state.1/contentType",
        "components/messages/user.changes.state.1/examples/0/name",
        "components/messages/user.changes.state.1/examples/0/payload",
        "components/messages/clerk.user-events.event/examples/0/headers/ce_id",
        "components/messages/user.changes.state.1/bindings/kafka/key/description",
        "components/schemas/user.changes.1/description",
        "components/schemas/user.changes.1/$id",
        "components/schemas/user.changes.1/properties/id/format",
        "components/schemas/user.changes.1/properties/role/enum/0",
        "components/schemas/user.changes.1/properties/role/description",
        "operations/worker.apply.clerk.user-events/bindings/kafka/groupId/const",
    ],
)
def test_whatever_it_says_is_text(path: str) -> None:
    """Nothing in the document can become an element."""
    document = copy.deepcopy(DOCUMENT)
    *way, last = path.split("/")
    place: Any = document
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[int(last) if isinstance(place, list) else last] = HOSTILE
    page = _Reader(build_page(document))

    assert not page.tags & {"script", "b", "i"}
    assert "onclick" not in page.attributes
    assert "<script>alert(1)</script>" in page.text


def test_names_of_fields_are_text_too() -> None:
    """Also in links."""
    document = copy.deepcopy(DOCUMENT)
    schemas = document["components"]["schemas"]
    schemas["user.changes.1"]["properties"][HOSTILE] = {"type": HOSTILE}
    schemas[HOSTILE] = {"anyOf": [{"$ref": f"#/components/schemas/{HOSTILE}"}, {"const": HOSTILE}]}
    page = _Reader(build_page(document))

    assert not page.tags & {"script", "b", "i"}
    assert HOSTILE in page.ids
