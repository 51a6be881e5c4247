"""What `connect` reads from the environment, besides Clerk's keys, which it may ask for."""

from __future__ import annotations

from pydantic import Field, HttpUrl

from deploy.letters.desk import DeskSettings


class ConnectSettings(DeskSettings):
    """Settings of `clerkwork connect`."""

    canary_ingest_url: HttpUrl = Field(
        HttpUrl("http://127.0.0.1:8080/webhooks/clerk"), description="where webhooks are posted to"
    )
