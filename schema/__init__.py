"""What the services agree on, arranged by the outside party each promise is made to."""

from typing import Final

VERSION: Final = "0.1.0"
"""The version of clerkwork; the distribution's metadata takes it from here."""
