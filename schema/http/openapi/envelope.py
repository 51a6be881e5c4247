"""The error envelope as a model: what `schema.http.errors` writes."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue


class Failure(BaseModel):
    """What went wrong, for programs and for people."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(description="for programs; it never changes its meaning")
    message: str = Field(description="for people; it may change")
    details: dict[str, JsonValue] = Field(
        default_factory=dict, description="such as `field`, which names what is wrong"
    )
    request_id: str = Field(
        alias="requestId", description="the answer's `X-Request-ID`; operators find it in the logs"
    )
    timestamp: AwareDatetime


class ErrorEnvelope(BaseModel):
    """The body of every answer that is an error."""

    model_config = ConfigDict(extra="forbid")

    error: Failure
