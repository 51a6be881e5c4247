"""How to reach Clerk's Backend API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, Field, HttpUrl, SecretStr

from schema.ops.settings import ProcessSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUESTS_PER_10_S: Final[Mapping[str, int]] = {"sk_live_": 1000, "sk_test_": 100}
"""What Clerk allows an instance, by how its keys begin.

https://clerk.com/docs/guides/how-clerk-works/system-limits
"""


def check_secret_key(value: SecretStr) -> SecretStr:
    """Return what looks like a secret key of Clerk's. Raises ValueError."""
    if not value.get_secret_value().startswith(tuple(REQUESTS_PER_10_S)):
        raise ValueError("must begin with sk_live_ or sk_test_")
    return value


class ClerkAddressSettings(ProcessSettings):
    """Where Clerk is."""

    clerk_api_url: HttpUrl = Field(
        HttpUrl("https://api.clerk.com/v1"), description="where Clerk's Backend API begins"
    )


class ClerkSettings(ClerkAddressSettings):
    """Settings of whatever asks Clerk."""

    clerk_secret_key: Annotated[SecretStr, AfterValidator(check_secret_key)] = Field(
        description="`sk_live_…` or `sk_test_…`, from Clerk's dashboard, API keys"
    )
    clerk_api_share: float = Field(
        0.8,
        gt=0,
        le=1,
        description="which share of the requests that Clerk allows the instance (1000 in 10 s"
        " with `sk_live_` keys, 100 with `sk_test_`) may be used; your application needs the rest",
    )

    @property
    def requests_per_10_s(self) -> int:
        """How often Clerk may be asked."""
        return allowed_requests(self.clerk_secret_key.get_secret_value(), self.clerk_api_share)


def allowed_requests(secret_key: str, share: float) -> int:
    """Return how many requests in 10 s that is, one at least; an unknown key counts as a test's."""
    prefix = next((each for each in REQUESTS_PER_10_S if secret_key.startswith(each)), "sk_test_")
    return max(1, int(REQUESTS_PER_10_S[prefix] * share))
