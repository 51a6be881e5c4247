"""Rights as they are declared, told and compared."""

from __future__ import annotations

import pytest

from deploy import console
from deploy.errors import OperatorError
from deploy.rights.acls import Acl, declared_acls, spell_commands
from deploy.rights.page import PAGE, with_tables
from deploy.rights.run import read_users
from deploy.rights.tables import REVISIONS, TABLES, declared_rights
from deploy.rights.topics import NEEDS, Right
from schema.postgres.tables import METADATA


def test_the_tables_of_the_page_are_those_of_the_declarations() -> None:
    """`python -m deploy.document` writes them."""
    page = PAGE.read_text(encoding="utf-8")

    assert with_tables(page) == page
    assert all(f"IN ROLE clerkwork_{process};" in page for process in TABLES)


def test_only_tables_and_columns_that_there_are_are_declared() -> None:
    """Nor is a privilege given twice."""
    rights = list(declared_rights())

    assert len(rights) == len(set(rights)) > 50
    for right in rights:
        if right.table != REVISIONS:
            table = METADATA.tables[right.table.removesuffix("_default")]
            assert right.column is None or right.column in table.columns


def test_nobody_but_the_relay_tells_of_changes_and_only_workers_are_in_their_groups() -> None:
    """What makes isolation worth something."""
    tells = Right(operation="Write", kind="topic", name="user.changes")
    takes_part = Right(operation="Read", kind="group", name="clerkwork.projector")

    assert [process for process, needs in NEEDS.items() if tells in needs] == ["relay"]
    assert [process for process, needs in NEEDS.items() if takes_part in needs] == ["worker"]
    assert not [each for each in NEEDS["ingest"] if each.operation != "Write"]


def test_commands_name_the_user_the_operation_and_all_that_is_alike() -> None:
    """One for each kind of right, in a steady order."""
    acls = declared_acls({"relay": "CN=relay", "reader": "billing"})

    commands = spell_commands(acls)
    assert commands[0].endswith(
        '--allow-principal "User:CN=relay" --operation Read --topic post.changes'
        " --topic user.changes"
    )
    assert commands[2].endswith("--operation Write --transactional-id clerkwork-relay")
    assert '"User:billing" --operation Read --topic post.changes' in commands[-1]
    prefixed = Acl(
        user="a", right=Right(operation="All", kind="topic", name="clerk."), pattern="prefixed"
    )
    [removal] = spell_commands([prefixed], action="--remove")
    assert "--remove --force --allow-principal" in removal
    assert "--operation All --resource-pattern-type prefixed --topic clerk." in removal


def test_who_comes_as_whom_is_said_in_words() -> None:
    """A process that is none is refused, with those that are."""
    assert read_users(["worker=CN=worker,O=us"]) == {"worker": "CN=worker,O=us"}
    assert read_users([])["ingest"] == "clerkwork-ingest"
    with pytest.raises(OperatorError, match="the processes are ingest, worker"):
        read_users(["workers=alice"])
    with pytest.raises(OperatorError, match="worker="):
        read_users(["worker"])


def test_the_commands_are_told_without_a_kafka(capsys: pytest.CaptureFixture[str]) -> None:
    """All that is declared, for a Kafka that is not asked; that differs from nothing."""
    with pytest.raises(SystemExit) as ended:
        console.app(["topics", "acls", "canary=watcher", "--offline"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == (
        'kafka-acls.sh --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" --add --allow-principal'
        ' "User:watcher" --operation Read --topic user.changes\n'
    )
