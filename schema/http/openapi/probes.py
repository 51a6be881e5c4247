"""The probes as operations: `schema.ops.probes` serves them, on every process."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel

from schema.http.endpoints import Answer, Operation


class Health(BaseModel):
    """What a probe found."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, str]
    """Check -> `ok`, or what is the matter."""


_WELL: Final = {"status": "ok", "checks": {}}
_ILL: Final = {"status": "unavailable", "checks": {"database": "PostgreSQL does not answer"}}

PROBES: Final = (
    Operation(
        method="GET",
        path="/livez",
        name="probe_liveness",
        summary="Whether the process lives",
        description="Where it does not, a restart helps.",
        answers={200: Answer(description="It does", model=Health, example=_WELL)},
        signed_in=False,
        limited=False,
    ),
    Operation(
        method="GET",
        path="/readyz",
        name="probe_readiness",
        summary="Whether traffic is welcome",
        answers={
            200: Answer(description="It is", model=Health, example=_WELL),
            503: Answer(description="A check says otherwise", model=Health, example=_ILL),
        },
        signed_in=False,
        limited=False,
    ),
    Operation(
        method="GET",
        path="/metrics",
        name="show_metrics",
        summary="What Prometheus scrapes",
        answers={
            200: Answer(
                description="Every metric of the process",
                content_type="text/plain",
                example='clerkwork_http_request_seconds_count{route="/v1/me",status="2xx"} 1.0',
            )
        },
        signed_in=False,
        limited=False,
    ),
)
"""Part of every document."""
