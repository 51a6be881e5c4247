"""The pages of the documents: all that these say, and nothing that could run."""

from __future__ import annotations

import copy
import re
import shlex
from html.parser import HTMLParser
from typing import Any, Final

import pytest

from schema.http.faults import FAULTS
from schema.http.openapi.curl import write_curl
from schema.http.openapi.page import build_page
from schema.http.openapi.reference import build_reference, write_reference
from tests.documenting import DOCUMENTS

ADDRESS: Final = "http://127.0.0.1:8081"
PAGES: Final = {
    service: build_page(document, address=ADDRESS) for service, document in DOCUMENTS.items()
}
HOSTILE: Final = '"><script>alert(1)</script>\'&<b onclick="x">`<i>`'


class _Reader(HTMLParser):
    """Collects what a page holds; fails where an element is closed that was not open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links |= {value or "" for name, value in attrs if name in {"href", "src"}}
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("page", [*PAGES.values(), build_reference()])
def test_it_runs_nothing_and_fetches_nothing(page: str) -> None:
    """No scripts, no handlers, no styles of single elements, no addresses of others."""
    read = _Reader(page)

    assert not read.tags & {"script", "link", "img", "iframe", "object", "form", "base"}
    assert not {name for name in read.attributes if name.startswith("on") or name == "style"}
    assert not [link for link in read.links if not re.match(r"[#/](?!/)", link)]
    assert "&lt;" not in page  # no finished HTML is escaped again
    assert "url(" not in page
    assert "@import" not in page


@pytest.mark.parametrize("page", [*PAGES.values(), build_reference()])
def test_every_link_leads_somewhere(page: str) -> None:
    """Within the page, to the other pages, and to codes that have a place there."""
    read = _Reader(page)
    codes = {f"/docs/errors#{code}" for code in FAULTS}
    others = {"/docs", "/docs/errors", "/v1/openapi.json"}

    assert len(set(read.ids)) == len(read.ids)
    assert read.links <= {f"#{each}" for each in read.ids} | codes | others


@pytest.mark.parametrize("service", DOCUMENTS)
def test_it_says_what_the_document_says(service: str) -> None:
    """Each operation with its words, parameters, answers and codes; each schema; each field."""
    read = _Reader(PAGES[service])
    document = DOCUMENTS[service]
    operations = [
        (f"{method.upper()} {path}", each)
        for path, methods in document["paths"].items()
        for method, each in methods.items()
    ]

    assert {each["operationId"] for _, each in operations} <= set(read.ids)
    assert document["components"]["schemas"].keys() <= set(read.ids)
    assert [
        title for title, each in operations if f"{title} {each['summary']}" not in read.text
    ] == []
    assert {f"/docs/errors#{code}" for code in document["components"]["examples"]} <= read.links
    for _, each in operations:
        for parameter in each.get("parameters", ()):
            assert str(parameter["example"]) in read.text
            words = parameter["description"].replace("`", " ").split()
            assert [word for word in words if word not in read.text] == []


def test_the_reference_has_every_code() -> None:
    """As a page with an anchor for each, and as a file."""
    read = _Reader(build_reference())
    written = write_reference()

    assert FAULTS.keys() <= set(read.ids)
    for code, fault in FAULTS.items():
        for words in (fault.meaning, fault.cause, fault.recovery):
            assert words.replace("`", "").split() <= read.text.split() or words
            assert words in written
        assert f"| `{code}` |" in written


@pytest.mark.parametrize(
    "path",
    [
        "info/title",
        "info/description",
        "tags/0/name",
        "paths/~v1~me/get/summary",
        "paths/~v1~me/get/description",
        "paths/~v1~me/get/parameters/0/name",
        "paths/~v1~me/get/parameters/0/description",
        "paths/~v1~me/get/parameters/0/example",
        "paths/~v1~me/get/responses/200/description",
        "paths/~v1~me/get/responses/200/content/application~json/example",
        "components/schemas/User/description",
        "components/examples/USER_BANNED/summary",
    ],
)
def test_whatever_it_says_is_text(path: str) -> None:
    """Nothing in the document can become an element."""
    document = copy.deepcopy(DOCUMENTS["api"])
    *way, last = (part.replace("~", "/") for part in path.split("/"))
    place: Any = document
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[last] = HOSTILE
    read = _Reader(build_page(document, address=ADDRESS))

    assert not read.tags & {"script", "b", "i"}
    assert "onclick" not in read.attributes


def test_the_command_is_ready_to_paste() -> None:
    """Quoted for a shell, with the token where one is needed, and with the example's body."""
    operation = {
        "security": [{"bearer": []}],
        "parameters": [
            {"in": "path", "name": "id", "required": True, "example": "a/b c"},
            {"in": "header", "name": "X-Key", "required": True, "example": "it's"},
            {"in": "query", "name": "limit", "required": False, "example": 20},
        ],
        "requestBody": {"content": {"application/json": {"example": {"title": "it's"}}}},
    }
    words = shlex.split(write_curl("post", "/v1/things/{id}", operation).replace("\\\n", ""))

    assert words == [
        *("curl", "-X", "POST", "$URL/v1/things/a%2Fb%20c"),
        *("-H", "Authorization: Bearer $TOKEN", "-H", "X-Key: it's"),
        *("-H", "Content-Type: application/json", "-d", '{"title": "it\'s"}'),
    ]
