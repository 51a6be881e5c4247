"""Where root puts programs that another account runs, and what it gives to that account."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from deploy.stack.installation import Installation, _copied
from deploy.stack.process import Account

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="not root")
SOMEBODY = 65_534


def test_a_place_that_somebody_else_made_is_not_used(tmp_path: Path) -> None:
    """In a directory for all its programs could be anybody's."""
    theirs = tmp_path / "clerkwork-of-root"
    theirs.mkdir()
    os.chown(theirs, SOMEBODY, SOMEBODY)

    with pytest.raises(PermissionError):
        _copied(tmp_path, theirs)
    assert theirs.stat().st_uid == SOMEBODY


def test_a_place_that_is_a_link_is_not_used(tmp_path: Path) -> None:
    """It may lead anywhere, tomorrow elsewhere."""
    (tmp_path / "real").mkdir()
    link = tmp_path / "clerkwork-of-root"
    link.symlink_to(tmp_path / "real")

    with pytest.raises(PermissionError):
        _copied(tmp_path, link)


def test_what_a_link_leads_to_is_given_to_nobody(tmp_path: Path) -> None:
    """A directory for PostgreSQL is its account's; files elsewhere stay whose they were."""
    data, secret = tmp_path / "data", tmp_path / "secret"
    data.mkdir()
    secret.write_text("root's own")
    (data / "link").symlink_to(secret)
    (data / "file").touch()

    Installation(root=tmp_path, account=Account(uid=SOMEBODY, gid=SOMEBODY)).give(data)

    assert (data / "file").stat().st_uid == SOMEBODY
    assert secret.stat().st_uid == 0
