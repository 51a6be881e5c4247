"""What the backfill reads from the environment."""

from __future__ import annotations

from pydantic import Field

from schema.clerk.settings import ClerkSettings
from schema.ops.settings import DatabaseSettings, KafkaSettings


class BackfillSettings(ClerkSettings, KafkaSettings, DatabaseSettings):
    """Settings of `clerkwork backfill`."""

    clerk_instance_id: str | None = Field(
        None,
        description="`ins_…`; events of any other instance are quarantined, its keys are refused",
    )

    @property
    def kind_of_key(self) -> str:
        """Production or development: their limits differ."""
        live = self.clerk_secret_key.get_secret_value().startswith("sk_live_")
        return "production" if live else "development"
