"""What only the running system knows of labels stays within the bounds of the catalogue."""

from __future__ import annotations

from pathlib import Path

from api.cache.rules import CACHEABLE
from api.describe import ENDPOINTS as API
from api.describe import SERVICE as API_SERVICE
from deploy.desk.routes import ENDPOINTS as DESK
from ingest.describe import ENDPOINTS as INGEST
from ingest.describe import SERVICE as INGEST_SERVICE
from schema.http.openapi.serve import with_documents
from schema.kafka.topics import SOURCES
from schema.ops.metrics import Bound, catalogue
from schema.ops.probes import PATHS
from schema.postgres.statements import read_statements

ROOT = Path(__file__).parents[3]


def _most(process: str, name: str, label: str) -> int:
    found = next(metric for metric in catalogue()[process] if metric.name == name)
    bound = found.labels[label]
    assert isinstance(bound, Bound)
    return bound.most


def test_there_are_no_more_routes() -> None:
    """Templates, the probes, and one name for whatever fits none."""
    for process, service, endpoints in (
        ("api", API_SERVICE, API),
        ("ingest", INGEST_SERVICE, INGEST),
    ):
        routes = {each.path for each in with_documents(service, endpoints)}
        most = _most(process, "clerkwork_http_request_seconds", "route")
        assert len(routes) + len(PATHS) + 1 <= most
        assert len(endpoints) + 1 <= _most(process, "clerkwork_rate_limit_decisions_total", "limit")


def test_the_desk_has_no_more_routes() -> None:
    """It has no documents, and serves its own style and script."""
    most = _most("desk", "clerkwork_http_request_seconds", "route")
    assert len({each.path for each in DESK}) + len(("static", "unmatched")) + len(PATHS) <= most


def test_there_are_no_more_statements() -> None:
    """Each has its name in a file."""
    files = (ROOT / "api").rglob("*.sql")
    statements = [name for file in files for name in read_statements(str(file))]

    assert len(statements) <= _most("api", "clerkwork_query_seconds", "statement")


def test_no_more_is_cached() -> None:
    """The names of endpoints."""
    assert len(CACHEABLE) <= _most("api", "clerkwork_cache_reads_total", "endpoint")


def test_no_topic_has_more_partitions() -> None:
    """As they are declared."""
    most = _most("worker", "clerkwork_lag_seconds", "partition")

    assert max(topic.partitions for topic in SOURCES) <= most
