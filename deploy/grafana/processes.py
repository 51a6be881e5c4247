"""What clerkwork's processes have of the machine."""

from __future__ import annotations

from typing import Final

from deploy.grafana.panel import Limit, Panel, Row, Unit

_OURS: Final = '{job=~"clerkwork-.*"}'


def cpu(job: str) -> Panel:
    """Return the panel of a job's processors: its station's saturation."""
    used = f'rate(process_cpu_seconds_total{{job="{job}"}}[5m])'
    return Panel(
        title="CPU",
        says="Share of a core that a process takes; its one loop can use no more than one.",
        unit=Unit.SHARE,
        queries={"{{instance}}": f"sum by (instance, process) ({used})"},
        limits=(Limit("ClerkworkCpuSaturated", 0.9, "ticket"),),
    )


PROCESSES: Final = Row(
    title="Processes",
    panels=(
        Panel(
            title="Up",
            says="Processes that answer Prometheus, and how many do not.",
            unit=Unit.COUNT,
            queries={
                "{{job}}": f"sum by (job) (up{_OURS})",
                "{{job}} down": f"count by (job) (up{_OURS} == 0)",
                "{{job}} silent": 'sum by (job) (clerkwork_processes{state="silent"}) > 0',
            },
            alerts=(
                "ClerkworkIngestDown",
                "ClerkworkWorkerStopped",
                "ClerkworkApiDown",
                "ClerkworkProcessDown",
            ),
        ),
        Panel(
            title="Starts, in 30 minutes",
            says="How often a process was started anew, and how many versions run at once.",
            unit=Unit.COUNT,
            queries={
                "{{job}} {{instance}}": f"changes(process_start_time_seconds{_OURS}[30m])",
                "versions": "count(count by (version) (clerkwork_build_info))",
            },
            limits=(Limit("ClerkworkRestarts", 3, "ticket"),),
            alerts=("ClerkworkVersionsDiffer",),
        ),
        Panel(
            title="Memory",
            says="What each process has resident; containers have 256 MiB.",
            unit=Unit.BYTES,
            queries={"{{job}} {{instance}}": f"process_resident_memory_bytes{_OURS}"},
            limits=(Limit("ClerkworkMemoryHigh", 230e6, "ticket"),),
        ),
        Panel(
            title="Open files",
            says="Share of those that a process may have open; connections are files too.",
            unit=Unit.SHARE,
            queries={
                "{{job}} {{instance}}": f"process_open_fds{_OURS} / process_max_fds{_OURS}",
            },
            limits=(Limit("ClerkworkFilesShort", 0.8, "ticket"),),
        ),
        Panel(
            title="Connections",
            says="HTTP connections that are open.",
            unit=Unit.COUNT,
            queries={"{{job}}": "sum by (job) (clerkwork_http_connections)"},
        ),
        Panel(
            title="Connections turned away",
            says="Cut off or turned away unread, by reason: slow heads and bodies are the"
            " sender's, connections are ours to spare.",
            unit=Unit.PER_SECOND,
            queries={
                "{{job}} {{reason}}": "sum by (job, reason) ("
                "rate(clerkwork_http_refusals_total[5m])) > 0"
            },
            alerts=("ClerkworkConnectionsRefused",),
        ),
        Panel(
            title="Rate limits",
            says="Requests that a limit turned away, and those that Redis did not count.",
            unit=Unit.PER_SECOND,
            queries={
                "{{limit}}": "sum by (limit) (rate("
                'clerkwork_rate_limit_decisions_total{outcome="limited"}[5m]))',
                "not counted": "sum(rate(clerkwork_rate_limit_failures_total[5m]))",
            },
            alerts=("ClerkworkRedisAway",),
        ),
        Panel(
            title="Desk",
            says="Requests of operators at the desk, by how they were answered.",
            unit=Unit.PER_SECOND,
            queries={
                "{{status}}": "sum by (status) (rate("
                'clerkwork_http_request_seconds_count{job="clerkwork-desk",'
                ' route!~"/livez|/readyz|/metrics"}[5m])) > 0',
            },
            alerts=("ClerkworkProcessDown",),
        ),
        Panel(
            title="Not asked",
            says="Yes while a dependency is left alone because it did not answer.",
            unit=Unit.YES_NO,
            queries={"{{job}}: {{breaker}}": "max by (job, breaker) (clerkwork_breaker_open)"},
            alerts=("ClerkworkDatabaseAway", "ClerkworkKeysUnavailable", "ClerkworkClerkAway"),
        ),
    ),
)
