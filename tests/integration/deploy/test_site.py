"""The site of the documentation is built, and has all it needs with it."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deploy.environment import ROOT
from tests.pages import DOCS

if TYPE_CHECKING:
    from pathlib import Path

FETCHED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"([^\"]+)\"")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as its index says; a warning is an error.

    A link that leads nowhere, a page that no other names, a heading out of order: all are warned
    of. The tree stays as it was.
    """
    place = tmp_path_factory.mktemp("site")
    built = subprocess.run(  # noqa: S603 - Sphinx, as a reader types it
        [
            *(sys.executable, "-P", "-m", "sphinx", "-W", "--keep-going", "-q"),
            *("-d", str(place / "doctrees"), "deploy/docs", str(place / "html")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert built.returncode == 0, built.stderr
    assert built.stderr == ""
    return place / "html"


def test_every_page_is_part_of_the_site(site: Path) -> None:
    """Under the name that it has in the folder."""
    pages = [page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")]

    assert [page for page in pages if not (site / page).is_file()] == []
    assert len(pages) > 15


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """Neither fonts nor scripts nor pictures: it works on a machine without a network."""
    fetched = {
        each for page in site.rglob("*.html") for each in FETCHED.findall(page.read_text("utf-8"))
    }
    styles = "".join(style.read_text("utf-8") for style in site.rglob("*.css"))

    assert {each for each in fetched if "//" in each} == set()
    assert len(fetched) > 5
    assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", styles) == []


def test_what_lies_outside_is_told_by_its_place(site: Path) -> None:
    """A page's link to the code becomes the path of the file, for the site has only the pages."""
    topics = (site / "reference/topics.html").read_text("utf-8")

    assert "schema/kafka/asyncapi.json" in topics
    assert "../../../schema" not in topics
