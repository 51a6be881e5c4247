"""Write what is for people and made from code: `python -m deploy.document`.

That is the README's configuration table, from the settings classes, its table of what was measured
and those of docs/scale.md, from `tests/bench/measured.json`, the references of errors and of
metrics, the map of personal data, the rights in docs/how-to/least-privilege.md, and the dashboards
of Grafana.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic_core import PydanticUndefined

from api.settings import ApiSettings
from deploy.backfill.settings import BackfillSettings
from deploy.canary.settings import CanarySettings
from deploy.desk.settings import BrowserDeskSettings
from deploy.grafana.write import DASHBOARDS, write_dashboard
from deploy.maintain.run import MaintainSettings
from deploy.metrics import write_metrics
from deploy.personal.write import PAGE as PERSONAL
from deploy.personal.write import with_map
from deploy.reconcile.settings import ReconcileSettings
from deploy.rights.page import PAGE as RIGHTS
from deploy.rights.page import with_tables as with_rights
from ingest.settings import IngestSettings
from schema.http.openapi.reference import write_reference
from workers.relay.settings import RelaySettings
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

README: Final = Path(__file__).parents[1] / "README.md"
ERRORS: Final = Path(__file__).with_name("docs") / "errors.md"
METRICS: Final = ERRORS.with_name("metrics.md")
PROCESSES: Final[dict[str, type[BaseSettings]]] = {
    "ingest": IngestSettings,
    "worker": WorkerSettings,
    "relay": RelaySettings,
    "api": ApiSettings,
    "maintain": MaintainSettings,
    "canary": CanarySettings,
    "desk": BrowserDeskSettings,
    "backfill": BackfillSettings,
    "reconcile": ReconcileSettings,
}
_PLACE: Final = re.compile(r"(<!-- (configuration|measured) -->\n).*?(<!-- /\2 -->)", re.DOTALL)


def configuration_table() -> str:
    """Return every environment variable, who reads it, its default and its meaning, as Markdown."""
    readers: dict[str, list[str]] = {}
    fields: dict[str, FieldInfo] = {}
    for process, settings in PROCESSES.items():
        for name, field in settings.model_fields.items():
            readers.setdefault(name, []).append(process)
            fields[name] = field
    rows = [
        f"| `{name.upper()}` | {', '.join(readers[name])} | {_default(field)} |"
        f" {field.description} |"
        for name, field in fields.items()
    ]
    return "\n".join(["| variable | read by | default | meaning |", "|---|---|---|---|", *rows])


def measured_part() -> str:
    """Return what was measured, where and when, as Markdown; it is noted by `clerkwork bench`."""
    # The doctor imports this module where there are no tests.
    from tests.bench.estimate import NOTED  # noqa: PLC0415  # see above
    from tests.bench.readme import machine_line, measured_table  # noqa: PLC0415  # see above
    from tests.bench.results import read_results  # noqa: PLC0415  # see above

    results = read_results(NOTED)
    return f"{machine_line(results)}\n\n{measured_table(results)}"


def write_scale() -> None:
    """Write the tables of docs/scale.md."""
    from tests.bench.estimate import NOTED  # noqa: PLC0415  # see above
    from tests.bench.results import read_results  # noqa: PLC0415  # see above
    from tests.bench.scale import PAGE, with_tables  # noqa: PLC0415  # see above

    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_tables(page, read_results(NOTED)), encoding="utf-8")


def with_tables(readme: str) -> str:
    """Return the README with its tables as they are now."""
    tables = {"configuration": configuration_table, "measured": measured_part}
    return _PLACE.sub(lambda place: f"{place[1]}{tables[place[2]]()}\n{place[3]}", readme)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default in {None, PydanticUndefined, ()}:
        return ""
    if isinstance(field.default, timedelta):
        return f"`{field.default.total_seconds():.0f}`"
    return f"`{field.default}`"


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
    ERRORS.write_text(write_reference(), encoding="utf-8")
    METRICS.write_text(write_metrics(), encoding="utf-8")
    PERSONAL.write_text(with_map(PERSONAL.read_text(encoding="utf-8")), encoding="utf-8")
    for path, dashboard in DASHBOARDS.items():
        path.write_text(write_dashboard(dashboard), encoding="utf-8")
    write_scale()
    RIGHTS.write_text(with_rights(RIGHTS.read_text(encoding="utf-8")), encoding="utf-8")
