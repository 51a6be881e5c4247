"""The page of the settings, from the classes that read them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pydantic_core import PydanticUndefined

from api.settings import ApiSettings
from deploy.backfill.settings import BackfillSettings
from deploy.canary.settings import CanarySettings
from deploy.desk.settings import BrowserDeskSettings
from deploy.maintain.run import MaintainSettings
from deploy.reconcile.settings import ReconcileSettings
from deploy.reference.markdown import page, table
from ingest.settings import IngestSettings
from workers.relay.settings import RelaySettings
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

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
"""Who reads an environment -> what of it."""

_INTRODUCTION: Final = """\
# Settings

Environment variables; each process reads its own once, at the start. One that is wrong or missing
stops the start, and all of them are named at once. Secrets are never printed. `maintain`,
`backfill` and `reconcile` are commands; other commands read `DATABASE_URL`, `KAFKA_*` and
`CLERK_SECRET_KEY` where they need them.

The few that production needs are in the [README](../../../README.md#in-production). Who needs
none of the others is right."""


def write_settings() -> str:
    """Return every variable, who reads it, its default and its meaning."""
    readers = _readers()
    shared = [name for name, who in readers.items() if len(who) > 1]
    parts = [_INTRODUCTION, "## Several processes", _shared(shared, readers)]
    for process in PROCESSES:
        own = [name for name, who in readers.items() if who == [process]]
        if own:
            head = ["variable", "default", "meaning"]
            rows = [[_name(name), *_say(name, readers)] for name in own]
            parts += [f"## {process}", table(head, rows)]
    return page(*parts)


def _shared(names: Iterable[str], readers: Mapping[str, Sequence[str]]) -> str:
    rows = [[_name(name), ", ".join(readers[name]), *_say(name, readers)] for name in names]
    return table(["variable", "read by", "default", "meaning"], rows)


def _readers() -> dict[str, list[str]]:
    """Return the name of each field -> the processes that read it."""
    found: dict[str, list[str]] = {}
    for process, settings in PROCESSES.items():
        for name in settings.model_fields:
            found.setdefault(name, []).append(process)
    return found


def _name(field: str) -> str:
    return f"`{field.upper()}`"


def _say(name: str, readers: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Return default and meaning, the default by its readers where they differ."""
    fields = {process: PROCESSES[process].model_fields[name] for process in readers[name]}
    defaults: dict[str, list[str]] = {}
    for process, field in fields.items():
        defaults.setdefault(_default(field), []).append(process)
    told = [f"{default} ({', '.join(who)})" for default, who in defaults.items() if default]
    default = "; ".join(told) if len(defaults) > 1 else next(iter(defaults))
    # Of a field that is declared twice, the last reader's words hold for all.
    return default, list(fields.values())[-1].description or ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default in {None, PydanticUndefined, ()}:
        return ""
    if isinstance(field.default, timedelta):
        return f"`{field.default.total_seconds():.0f}`"
    return f"`{field.default}`"
