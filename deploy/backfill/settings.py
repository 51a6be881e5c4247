"""What the backfill reads from the environment."""

from __future__ import annotations

from deploy.clerk.settings import SidesSettings


class BackfillSettings(SidesSettings):
    """Settings of `clerkwork backfill`."""
