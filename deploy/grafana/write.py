"""Write dashboards as Grafana reads them.

The classic model, which Grafana 10 to 13 read:
https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deploy.grafana.panel import Unit
from deploy.grafana.promises import PROMISES
from deploy.grafana.walk import WALK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.grafana.panel import Dashboard, Limit, Panel, Row

DASHBOARDS: Final = {
    Path(__file__).with_name("dashboards") / f"{dashboard.uid}.json": dashboard
    for dashboard in (WALK, PROMISES)
}
"""File -> what it is written from."""

_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_COLORS: Final = {"page": "red", "ticket": "orange"}
_WIDTH: Final = 24
_HEIGHTS: Final = {"lines": 8, "stack": 8, "number": 4, "pair": 4}
_VARIABLES: Final = [
    {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "clerkwork", "value": "clerkwork"},
        "hide": 0,
    },
    {
        "name": "runbook",
        "label": "Runbook",
        "description": "Where deploy/docs/runbook.md can be read.",
        "type": "textbox",
        "query": "/public/clerkwork/runbook.md",
        "current": {
            "text": "/public/clerkwork/runbook.md",
            "value": "/public/clerkwork/runbook.md",
        },
        "hide": 0,
    },
]


def write_dashboard(dashboard: Dashboard) -> str:
    """Return the file of a dashboard."""
    return json.dumps(_dashboard(dashboard), indent=2, ensure_ascii=False) + "\n"


def _dashboard(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.says,
        "tags": ["clerkwork"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,  # one crosshair through all panels
        "refresh": "15s",
        "time": {"from": dashboard.since, "to": "now"},
        "timezone": "browser",
        "templating": {"list": _VARIABLES},
        "annotations": {"list": [_fired()]},
        "links": [
            {"title": title, "type": "link", "url": f"/d/{uid}", "keepTime": True}
            for title, uid in dashboard.links.items()
        ],
        "panels": list(_panels(dashboard.rows)),
    }


def _fired() -> dict[str, Any]:
    """Return what marks the times at which something was paged for."""
    return {
        "name": "Pages",
        "datasource": _SOURCE,
        "enable": True,
        "expr": 'ALERTS{alertname=~"Clerkwork.*", alertstate="firing", severity="page"}',
        "titleFormat": "{{alertname}}",
        "iconColor": "red",
    }


def _panels(rows: tuple[Row, ...]) -> Iterator[dict[str, Any]]:
    """Yield rows and panels, each with its number and its place: full rows, top down."""
    numbers = count(1)
    y = 0
    for row in rows:
        place = {"h": 1, "w": _WIDTH, "x": 0, "y": y}
        yield {
            "id": next(numbers),
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": place,
            "panels": [],
        }
        y += 1
        for line in _lines(row.panels):
            x, height = 0, max(_HEIGHTS[panel.kind] for panel in line)
            for panel in line:
                width = panel.columns or _WIDTH // len(line)
                yield _panel(panel, next(numbers), place={"h": height, "w": width, "x": x, "y": y})
                x += width
            y += height


def _lines(panels: tuple[Panel, ...]) -> Iterator[list[Panel]]:
    """Yield what stands side by side: panels of one kind of height, as many as have room."""
    line: list[Panel] = []
    for panel in panels:
        full = sum(each.columns or _WIDTH // 4 for each in [*line, panel]) > _WIDTH
        if line and (full or _HEIGHTS[line[0].kind] != _HEIGHTS[panel.kind]):
            yield line
            line = []
        line.append(panel)
    yield line


def _panel(panel: Panel, number: int, *, place: dict[str, int]) -> dict[str, Any]:
    graph = panel.kind in {"lines", "stack"}
    return {
        "id": number,
        "type": "timeseries" if graph else "stat",
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "gridPos": place,
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": expression,
                "legendFormat": legend,
                "range": graph,
                "instant": not graph,
            }
            for index, (legend, expression) in enumerate(panel.queries.items())
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "options": _graph_options() if graph else _number_options(),
        "links": [
            {"title": f"Runbook: {alert}", "url": f"${{runbook}}#{alert.lower()}"}
            for alert in panel.linked
        ],
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "noValue": "nobody tells",
        "color": {"mode": "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": _steps(panel.limits)},
    }
    if not any(limit.below for limit in panel.limits):
        defaults["min"] = 0
    if panel.kind in {"lines", "stack"}:
        return defaults | {
            "custom": {
                "lineWidth": 1,
                "fillOpacity": 25 if panel.kind == "stack" else 0,
                "stacking": {"mode": "normal" if panel.kind == "stack" else "none"},
                "thresholdsStyle": {"mode": "dashed" if panel.limits else "off"},
                "showPoints": "never",
            },
        }
    if panel.unit in {Unit.KEPT, Unit.COUNT}:
        defaults["decimals"] = 0
    if panel.unit == Unit.KEPT:
        defaults["mappings"] = [_shown("kept", None, 0.5), _shown("look", 0.5, None)]
    return defaults | {"color": {"mode": "thresholds"}}


def _shown(words: str, least: float | None, most: float | None) -> dict[str, Any]:
    """Return the words that stand for a range of values."""
    options = {"from": least, "to": most, "result": {"text": words, "index": 0}}
    return {"type": "range", "options": options}


def _steps(limits: tuple[Limit, ...]) -> list[dict[str, Any]]:
    """Return what color a value has from where on; the first step has no beginning."""
    rising = sorted((limit for limit in limits if not limit.below), key=lambda limit: limit.at)
    falling = sorted((limit for limit in limits if limit.below), key=lambda limit: limit.at)
    colors = [*(_COLORS[limit.severity] for limit in falling), "green"]
    begins = [None, *(limit.at for limit in falling)]
    steps = [{"value": at, "color": color} for at, color in zip(begins, colors, strict=True)]
    # Grafana colors from a value on, alerts fire above it: what is just at it is not yet wrong.
    return steps + [{"value": limit.at, "color": _COLORS[limit.severity]} for limit in rising]


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    """Return how the two halves of a pair differ: any violation is red, what was checked is not."""
    if panel.kind != "pair":
        return []
    wrong = [{"value": None, "color": "green"}, {"value": 1, "color": "red"}]
    return [
        {
            "matcher": {"id": "byName", "options": "violated"},
            "properties": [{"id": "thresholds", "value": {"mode": "absolute", "steps": wrong}}],
        },
        {
            "matcher": {"id": "byName", "options": "checked"},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": "blue"}}],
        },
    ]


def _graph_options() -> dict[str, Any]:
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _number_options() -> dict[str, Any]:
    return {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background",
        "graphMode": "none",
        "textMode": "auto",
    }
