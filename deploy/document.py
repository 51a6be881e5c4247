"""Write what is for people and made from code: `python -m deploy.document`.

That is the README's configuration table, from the settings classes, and the reference of errors.
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
from deploy.maintain.run import MaintainSettings
from deploy.reconcile.settings import ReconcileSettings
from ingest.settings import IngestSettings
from schema.http.openapi.reference import write_reference
from workers.relay.settings import RelaySettings
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

README: Final = Path(__file__).parents[1] / "README.md"
ERRORS: Final = Path(__file__).with_name("docs") / "errors.md"
PROCESSES: Final[dict[str, type[BaseSettings]]] = {
    "ingest": IngestSettings,
    "worker": WorkerSettings,
    "relay": RelaySettings,
    "api": ApiSettings,
    "maintain": MaintainSettings,
    "canary": CanarySettings,
    "backfill": BackfillSettings,
    "reconcile": ReconcileSettings,
}
_PLACE: Final = re.compile(r"(<!-- configuration -->\n).*?(<!-- /configuration -->)", re.DOTALL)


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


def with_table(readme: str) -> str:
    """Return the README with the table as it is now."""
    return _PLACE.sub(lambda place: f"{place[1]}{configuration_table()}\n{place[2]}", readme)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default in {None, PydanticUndefined, ()}:
        return ""
    if isinstance(field.default, timedelta):
        return f"`{field.default.total_seconds():.0f}`"
    return f"`{field.default}`"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
    ERRORS.write_text(write_reference(), encoding="utf-8")
