"""Write what is for people and made from code: `python -m deploy.document`.

That is the pages of reference in deploy/docs, the tables within other pages, such as those of what
was measured, from `tests/bench/measured.json`, and the dashboards of Grafana.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from deploy.environment import ROOT
from deploy.grafana.write import DASHBOARDS, write_dashboard
from deploy.metrics import write_metrics
from deploy.personal.write import PAGE as PERSONAL
from deploy.personal.write import with_map
from deploy.reference.commands import write_commands
from deploy.reference.http import write_http_api
from deploy.reference.settings import write_settings
from deploy.reference.tables import write_tables
from deploy.reference.topics import write_topics
from deploy.rights.page import PAGE as RIGHTS
from deploy.rights.page import with_tables as with_rights
from schema.http.openapi.reference import write_reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

README: Final = ROOT / "README.md"
DOCS: Final = ROOT / "deploy/docs"
PAGES: Final[dict[Path, Callable[[], str]]] = {
    DOCS / "errors.md": write_reference,
    DOCS / "metrics.md": write_metrics,
    DOCS / "reference/settings.md": write_settings,
    DOCS / "reference/commands.md": write_commands,
    DOCS / "reference/topics.md": write_topics,
    DOCS / "reference/tables.md": write_tables,
    DOCS / "reference/http-api.md": write_http_api,
}
"""Page -> what writes the whole of it."""
_PLACE: Final = re.compile(r"(<!-- measured -->\n).*?(<!-- /measured -->)", re.DOTALL)


def measured_part() -> str:
    """Return what was measured, where and when, as Markdown; it is noted by `clerkwork bench`."""
    # The image has no tests.
    from tests.bench.estimate import NOTED  # noqa: PLC0415  # see above
    from tests.bench.readme import machine_line, measured_table  # noqa: PLC0415  # see above
    from tests.bench.results import read_results  # noqa: PLC0415  # see above

    results = read_results(NOTED)
    return f"{machine_line(results)}\n\n{measured_table(results)}"


def with_scale(page: str) -> str:
    """Return docs/scale.md with its tables as they are now."""
    from tests.bench.estimate import NOTED  # noqa: PLC0415  # see above
    from tests.bench.results import read_results  # noqa: PLC0415  # see above
    from tests.bench.scale import with_tables  # noqa: PLC0415  # see above

    return with_tables(page, read_results(NOTED))


def with_measured(readme: str) -> str:
    """Return the README with its table as it is now."""
    return _PLACE.sub(lambda place: f"{place[1]}{measured_part()}\n{place[2]}", readme)


PARTS: Final[dict[Path, Callable[[str], str]]] = {
    README: with_measured,
    DOCS / "scale.md": with_scale,
    PERSONAL: with_map,
    RIGHTS: with_rights,
}
"""Page -> what returns it with those parts as they are now that are made from code."""


if __name__ == "__main__":
    for path, write in PAGES.items():
        path.write_text(write(), encoding="utf-8")
    for path, renew in PARTS.items():
        path.write_text(renew(path.read_text(encoding="utf-8")), encoding="utf-8")
    for path, dashboard in DASHBOARDS.items():
        path.write_text(write_dashboard(dashboard), encoding="utf-8")
