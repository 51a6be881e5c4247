"""The runbook: whole, short, and of commands that exist."""

from __future__ import annotations

import re
import shlex
from itertools import takewhile

import pytest
import yaml

from deploy.console import app
from deploy.environment import ROOT
from tests.runbook import RUNBOOK, Section, read_links, read_sections, read_setup, read_tree
from tests.unit.deploy.test_prometheus import ALERTS

SECTIONS = read_sections()
HERE = "tests/integration/deploy/runbook"
REHEARSALS = yaml.safe_load((ROOT / HERE / "rehearsals.yml").read_text("utf-8"))
KINDS = ("printed", "elsewhere", "unprovoked")
WORDS = 130
"""Nobody reads more at night, commands not counted."""


def commands_of(script: str) -> list[list[str]]:
    """Return the arguments of every `clerkwork` command in a script."""
    lines = re.findall(r"^clerkwork (.+)$", script, re.MULTILINE)
    words = [shlex.split(line, comments=True) for line in lines]
    return [list(takewhile(lambda word: word != "|", each)) for each in words]


def scripts() -> list[str]:
    """Return every script of the runbook."""
    return [
        script for section in SECTIONS.values() for script in (*section.commands, *section.cures)
    ]


def test_every_alert_has_a_section_and_every_section_an_alert() -> None:
    """In the order in which the rules stand it is looked for; here by name."""
    assert sorted(SECTIONS) == sorted(ALERTS)


@pytest.mark.parametrize("section", SECTIONS.values(), ids=list(SECTIONS))
def test_every_section_says_what_it_means_three_commands_and_the_cure(section: Section) -> None:
    """Short enough for three in the morning, and each command says what its output means."""
    prose = re.sub(r"```.*?```", "", section.text, flags=re.DOTALL)

    assert section.meaning
    assert len(section.commands) == 3
    assert all(re.search(r"\S +# \S", command) for command in section.commands)
    assert section.cures
    assert len(prose.split()) <= WORDS


@pytest.mark.parametrize(
    "script", [s for s in scripts() if re.search("^clerkwork ", s, re.MULTILINE)]
)
def test_every_command_of_clerkwork_exists_with_its_options(script: str) -> None:
    """The console itself reads it, and does not run it."""
    found = commands_of(script)

    assert found
    for arguments in found:
        command, bound, ignored = app.parse_args(arguments, exit_on_error=False, print_error=False)
        assert callable(command)
        assert bound is not None
        assert ignored is not None


def test_what_is_named_in_the_text_exists_too() -> None:
    """A command in a sentence is typed as it stands there."""
    said = re.findall(r"`clerkwork ([^`]+)`", RUNBOOK.read_text("utf-8"))

    assert said
    for words in said:
        arguments = re.sub(r" \\\|.*| msg_…", "", words).split()
        needs = {"trace": ["msg_1"], "dlq show": ["msg_1"], "dlq edit": ["msg_1"]}
        arguments += needs.get(" ".join(arguments), [])
        assert app.parse_args(arguments, exit_on_error=False, print_error=False)


def test_links_lead_somewhere() -> None:
    """To a heading of the runbook, or to a file."""
    anchors = {name.lower() for name in SECTIONS}

    for link in read_links():
        path, _, anchor = link.partition("#")
        assert anchor in anchors if not path else (ROOT / "deploy/docs" / path).exists()


def test_whoever_is_woken_finds_the_section_by_what_is_seen() -> None:
    """Every alert that pages is in the table at the top."""
    paging = {name for name, alert in ALERTS.items() if alert["labels"]["severity"] == "page"}
    tree = read_tree()

    assert {name for name in paging if f"(#{name.lower()})" not in tree} == set()


def test_what_is_pasted_first_defines_what_commands_use() -> None:
    """No command needs a variable or a function that nobody has set."""
    setup = read_setup()
    defined = set(re.findall(r"\b([A-Z]+)=", setup)) | {
        *("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL", "CLERK_JWKS_URL")
    }
    used = {name for script in scripts() for name in re.findall(r"\$\{?([A-Z_]+)", script)}

    assert used <= defined


def test_it_is_written_down_for_every_alert_who_has_cured_it() -> None:
    """A test that exists, or a reason why nobody makes it happen."""
    printed, elsewhere, unprovoked = (REHEARSALS[kind] for kind in KINDS)

    assert REHEARSALS.keys() == set(KINDS)
    assert sorted([*printed, *elsewhere, *unprovoked]) == sorted(ALERTS)
    places = [f"{HERE}/{place}" for place in printed.values()] + [*elsewhere.values()]
    for place in places:
        path, _, test = place.partition("::")
        assert f"async def {test}(" in (ROOT / path).read_text("utf-8"), place


@pytest.mark.parametrize("alert", REHEARSALS["printed"])
def test_a_rehearsal_runs_what_is_printed(alert: str) -> None:
    """It names the alert, whose commands and cure the stage then reads from the runbook."""
    path = REHEARSALS["printed"][alert].partition("::")[0]

    assert f'"{alert}"' in (ROOT / HERE / path).read_text("utf-8")
