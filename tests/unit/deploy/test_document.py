"""README and reference say what the code does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.document import DOCS, PAGES, PARTS
from deploy.grafana.write import DASHBOARDS, write_dashboard

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("page", PARTS, ids=lambda page: page.stem)
def test_a_part_of_a_page_is_what_the_code_says(page: Path) -> None:
    """`python -m deploy.document` writes it; nothing in it is written by hand."""
    text = page.read_text(encoding="utf-8")

    assert PARTS[page](text) == text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_of_reference_is_what_the_code_says(page: Path) -> None:
    """Nothing in these is written by hand either."""
    assert page.read_text(encoding="utf-8") == PAGES[page]()


def test_every_page_of_reference_is_made_from_code() -> None:
    """Who writes one by hand finds it outdated some day."""
    assert {*(DOCS / "reference").iterdir()} <= PAGES.keys()


def test_the_dashboards_are_those_that_are_described() -> None:
    """Whoever edits one in Grafana finds the place to do it."""
    assert {path: path.read_text(encoding="utf-8") for path in DASHBOARDS} == {
        path: write_dashboard(dashboard) for path, dashboard in DASHBOARDS.items()
    }
