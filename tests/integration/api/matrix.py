"""Who sees what: the table that test_matrix.py executes, row by row and column by column.

Columns are callers. `anonymous` and `expired` have no good token; `banned`, `deleted` and `pending`
are what the database says of a caller with a good one (pending: their webhook has not come yet);
`stranger` is somebody else; `owner` is whose it is: the user, the author, whom the event is about,
who administers the organization; `member` is in the same organization as the owner; `admin` sees
all. Rows are routes and the state of what they show, `subject` the user in the path:
living, banned, pending (referred to, not yet seen), held (deleted, their data is held back),
erased (deleted, nothing is left), absent (no row).

Cells: 401 UNAUTHENTICATED · 403 FORBIDDEN · out: 403 USER_BANNED or USER_DELETED · 404 in the very
words in which what does not exist is not found · 404+ the same, with when to ask again · else 200
and what is shown:
full, public, tombstone: the user · own: a list of public profiles, oneself in full ·
pub, all: published posts, drafts too · post · data, sessions, history · deletion: of the history
only that · none: nothing · in, extern: the organization, with and without a membership of the
caller's · event, reason: without and with why it failed.
"""

from __future__ import annotations

from typing import Final

CALLERS: Final = (
    *("anonymous", "expired", "banned", "deleted", "pending"),
    *("stranger", "owner", "member", "admin"),
)

TABLE: Final = """
| route                   | state             | anonymous | expired | banned | deleted | pending | stranger | owner    | member | admin     |
|-------------------------|-------------------|-----------|---------|--------|---------|---------|----------|----------|--------|-----------|
| /v1/me                  |                   | 401       | 401     | out    | out     | 404+    | full     | full     | full   | full      |
| /v1/users               |                   | 401       | 401     | out    | out     | public  | own      | own      | own    | full      |
| /v1/users/{id}          | living            | 401       | 401     | out    | out     | public  | public   | full     | public | full      |
| /v1/users/{id}          | banned            | 401       | 401     | out    | out     | public  | public   | out      | public | full      |
| /v1/users/{id}          | pending           | 401       | 401     | out    | out     | 404     | 404      | 404+     | 404    | full      |
| /v1/users/{id}          | held              | 401       | 401     | out    | out     | 404     | 404      | out      | 404    | tombstone |
| /v1/users/{id}          | erased            | 401       | 401     | out    | out     | 404     | 404      | out      | 404    | tombstone |
| /v1/users/{id}          | absent            | 401       | 401     | out    | out     | 404     | 404      | 404+     | 404    | 404       |
| /v1/users/{id}/posts    | living            | 401       | 401     | out    | out     | pub     | pub      | all      | pub    | all       |
| /v1/users/{id}/posts    | banned            | 401       | 401     | out    | out     | pub     | pub      | out      | pub    | all       |
| /v1/users/{id}/posts    | pending           | 401       | 401     | out    | out     | 404     | 404      | all      | 404    | all       |
| /v1/users/{id}/posts    | held              | 401       | 401     | out    | out     | 404     | 404      | out      | 404    | none      |
| /v1/users/{id}/posts    | erased            | 401       | 401     | out    | out     | 404     | 404      | out      | 404    | none      |
| /v1/users/{id}/posts    | absent            | 401       | 401     | out    | out     | 404     | 404      | 404+     | 404    | 404       |
| /v1/users/{id}/data     | living            | 401       | 401     | out    | out     | 403     | 403      | data     | 403    | data      |
| /v1/users/{id}/data     | pending           | 401       | 401     | out    | out     | 403     | 403      | data     | 403    | data      |
| /v1/users/{id}/data     | held              | 401       | 401     | out    | out     | 403     | 403      | out      | 403    | none      |
| /v1/users/{id}/data     | erased            | 401       | 401     | out    | out     | 403     | 403      | out      | 403    | none      |
| /v1/users/{id}/data     | absent            | 401       | 401     | out    | out     | 403     | 403      | 404+     | 403    | 404       |
| /v1/users/{id}/sessions | living            | 401       | 401     | out    | out     | 403     | 403      | sessions | 403    | sessions  |
| /v1/users/{id}/sessions | pending           | 401       | 401     | out    | out     | 403     | 403      | sessions | 403    | sessions  |
| /v1/users/{id}/sessions | held              | 401       | 401     | out    | out     | 403     | 403      | out      | 403    | none      |
| /v1/users/{id}/sessions | erased            | 401       | 401     | out    | out     | 403     | 403      | out      | 403    | none      |
| /v1/users/{id}/sessions | absent            | 401       | 401     | out    | out     | 403     | 403      | 404+     | 403    | 404       |
| /v1/users/{id}/history  | living            | 401       | 401     | out    | out     | 403     | 403      | history  | 403    | history   |
| /v1/users/{id}/history  | pending           | 401       | 401     | out    | out     | 403     | 403      | history  | 403    | history   |
| /v1/users/{id}/history  | held              | 401       | 401     | out    | out     | 403     | 403      | out      | 403    | deletion  |
| /v1/users/{id}/history  | erased            | 401       | 401     | out    | out     | 403     | 403      | out      | 403    | deletion  |
| /v1/users/{id}/history  | absent            | 401       | 401     | out    | out     | 403     | 403      | 404+     | 403    | 404       |
| /v1/posts               |                   | 401       | 401     | out    | out     | pub     | pub      | pub      | pub    | all       |
| /v1/posts/{id}          | published         | 401       | 401     | out    | out     | post    | post     | post     | post   | post      |
| /v1/posts/{id}          | draft             | 401       | 401     | out    | out     | 404     | 404      | post     | 404    | post      |
| /v1/posts/{id}          | deleted           | 401       | 401     | out    | out     | 404     | 404      | 404      | 404    | 404       |
| /v1/posts/{id}          | stub              | 401       | 401     | out    | out     | 404     | 404      | 404      | 404    | 404       |
| /v1/posts/{id}          | pending published | 401       | 401     | out    | out     | post    | post     | post     | post   | post      |
| /v1/posts/{id}          | pending draft     | 401       | 401     | out    | out     | 404     | 404      | post     | 404    | post      |
| /v1/posts/{id}          | banned published  | 401       | 401     | out    | out     | post    | post     | out      | post   | post      |
| /v1/posts/{id}          | held published    | 401       | 401     | out    | out     | 404     | 404      | out      | 404    | 404       |
| /v1/posts/{id}          | absent            | 401       | 401     | out    | out     | 404     | 404      | 404      | 404    | 404       |
| /v1/organizations/{id}  | living            | 401       | 401     | out    | out     | 404     | 404      | in       | in     | extern    |
| /v1/organizations/{id}  | left              | 401       | 401     | out    | out     | 404     | 404      | 404      | 404    | extern    |
| /v1/organizations/{id}  | pending           | 401       | 401     | out    | out     | 404     | 404      | 404      | 404    | extern    |
| /v1/organizations/{id}  | deleted           | 401       | 401     | out    | out     | 404     | 404      | 404      | 404    | extern    |
| /v1/organizations/{id}  | absent            | 401       | 401     | out    | out     | 404     | 404      | 404      | 404    | 404       |
| /v1/events/{id}         | applied           | 401       | 401     | out    | out     | 404+    | 404+     | event    | 404+   | reason    |
| /v1/events/{id}         | refused           | 401       | 401     | out    | out     | 404+    | 404+     | event    | 404+   | reason    |
| /v1/events/{id}         | held              | 401       | 401     | out    | out     | 404+    | 404+     | out      | 404+   | reason    |
| /v1/events/{id}         | about nobody      | 401       | 401     | out    | out     | 404+    | 404+     | 404+     | 404+   | reason    |
| /v1/events/{id}         | absent            | 401       | 401     | out    | out     | 404+    | 404+     | 404+     | 404+   | 404+      |
"""  # noqa: E501 - a table is as wide as it is


def rows() -> list[tuple[str, str, dict[str, str]]]:
    """Return route, state, and caller -> what they get, of every row of the table."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.strip().splitlines()
    ]
    heads = lines[0]
    assert tuple(heads[2:]) == CALLERS
    return [
        (route, state, dict(zip(CALLERS, cells, strict=True))) for route, state, *cells in lines[2:]
    ]
