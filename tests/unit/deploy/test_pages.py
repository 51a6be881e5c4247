"""The documentation: links lead somewhere, commands are those that there are."""

from __future__ import annotations

import re
import runpy
import shlex
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from deploy.console import app
from deploy.environment import ROOT
from tests.pages import DOCS, PAGES, anchors_of, blocks_of, leads_somewhere, links_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = re.compile(r"(?:^|\$\(|[|&;])[ \t]*(?:clerkwork|deploy/run) ([^\n|;&)>]*)", re.MULTILINE)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading that it has."""
    assert [link for link in links_of(page) if not leads_somewhere(page, link)] == []


def _commands(page: Path) -> Iterator[str]:
    """Yield what is typed after `clerkwork` or `deploy/run` in the page's blocks of shell."""
    for block in blocks_of(page):
        if block.language == "sh":
            yield from COMMAND.findall(block.text.replace("\\\n", " "))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_is_one_that_the_console_takes(page: Path) -> None:
    """With the options that it is shown with; it is read here, and not run."""
    for command in _commands(page):
        app.parse_args(shlex.split(command, comments=True), exit_on_error=False, print_error=False)


def test_a_link_that_leads_nowhere_is_found() -> None:
    """So that nobody believes a test that finds nothing."""
    readme = PAGES[0]

    assert not leads_somewhere(readme, "deploy/docs/nowhere.md")
    assert not leads_somewhere(readme, "deploy/docs/concepts.md#nowhere")
    assert not leads_somewhere(readme, "../elsewhere")
    assert leads_somewhere(readme, "deploy/docs/concepts.md#the-tables")
    assert "what-it-guarantees" in anchors_of(readme)
    assert sum(1 for page in PAGES for _ in links_of(page)) > 200


def test_a_command_that_is_none_is_found() -> None:
    """The same for commands."""
    with pytest.raises(Exception, match="no-such"):
        app.parse_args(["dlq", "no-such"], exit_on_error=False, print_error=False)

    assert sum(1 for page in PAGES for _ in _commands(page)) > 50


def test_links_out_of_the_folder_become_what_they_name() -> None:
    """Or links, once it is said where the repository is."""
    conf = runpy.run_path(str(DOCS / "conf.py"))
    text = "[a](../concepts.md#b), [the README](../../../README.md#c), [`deploy/run`](../../run)"
    told = {}
    for repository in ("", "https://git.example/clerkwork"):
        app = SimpleNamespace(config=SimpleNamespace(repository=repository))
        source = [text]
        conf["point_outside"](app, "how-to/operate", source)
        told[repository] = source[0]

    assert told[""] == "[a](../concepts.md#b), the README (`README.md`), `deploy/run`"
    assert told["https://git.example/clerkwork"] == (
        "[a](../concepts.md#b), [the README](https://git.example/clerkwork/README.md#c),"
        " [`deploy/run`](https://git.example/clerkwork/deploy/run)"
    )
