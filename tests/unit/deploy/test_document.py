"""The README says what the code does."""

from __future__ import annotations

import re

from deploy.document import ERRORS, METRICS, README, with_tables
from deploy.metrics import write_metrics
from schema.http.openapi.reference import write_reference


def test_the_tables_are_those_of_settings_and_measurements() -> None:
    """`python -m deploy.document` writes them; nothing in them is written by hand."""
    readme = README.read_text(encoding="utf-8")

    assert with_tables(readme) == readme


def test_the_reference_of_errors_is_that_of_the_registry() -> None:
    """Nothing in it is written by hand either."""
    assert ERRORS.read_text(encoding="utf-8") == write_reference()


def test_the_page_of_metrics_is_that_of_the_catalogue() -> None:
    """Nor in this."""
    assert METRICS.read_text(encoding="utf-8") == write_metrics()


def test_every_link_leads_somewhere() -> None:
    """Each promise's test is there."""
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))

    assert [link for link in links if not (README.parent / link).exists()] == []
    assert len(links) > 5
