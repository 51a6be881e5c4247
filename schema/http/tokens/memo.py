"""Remember who was verified: a token comes with every request of its minute.

What is kept is the SHA-256 of the token and what it says, never its text. Looking a digest up
takes a time that depends on the digests that are kept, and tells nobody anything: who does not
have a token cannot steer its digest towards another, and a digest is no credential.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from cachetools import TLRUCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from schema.http.tokens.claims import Caller

MAX_BYTES: Final = 16 << 20
"""How much is kept; the tokens not seen for the longest make room."""

OVERHEAD: Final = 1024
"""What a token takes here at least, in bytes; estimated. So some 16,000 of them are kept."""

_NAME: Final = 64
"""What each name of a permission or scope takes besides its letters."""


class Verified(NamedTuple):
    """A token that was good."""

    caller: Caller
    key_id: str | None
    """The `kid` that it names."""
    key: RSAPublicKey
    """What its signature was verified with."""
    at: float
    """When, in seconds since 1970."""

    def holds(self, key: RSAPublicKey, *, at: float) -> bool:
        """Say whether verifying it again `at` this time with `key` must find the same.

        Between the moment it was good and its expiry nothing else can come of it. Keys are
        compared by identity: a set that was fetched anew verifies each token once more.
        """
        return key is self.key and self.at <= at < self.caller.expires_at


class Memo:
    """Verified tokens by their digest, until they expire."""

    def __init__(
        self, *, max_bytes: int = MAX_BYTES, clock: Callable[[], float] = time.time
    ) -> None:
        self.clock = clock
        self._verified = TLRUCache[tuple[bytes, bool], Verified](
            max_bytes, ttu=_expiry, timer=clock, getsizeof=_weigh
        )

    def __len__(self) -> int:
        return len(self._verified)

    @property
    def bytes(self) -> int:
        """How much is kept."""
        return int(self._verified.currsize)

    def find(self, token: str, *, machines: bool) -> Verified | None:
        """Return what is known of `token`, verified with or without `machines`."""
        try:
            return self._verified[_digest(token), machines]
        except KeyError:
            return None

    def keep(self, token: str, verified: Verified, *, machines: bool) -> None:
        """Remember that `token` was good; what says too much is not remembered."""
        if _weigh(verified) <= self._verified.maxsize:
            self._verified[_digest(token), machines] = verified


def _digest(token: str) -> bytes:
    # Header values may hold what UTF-8 cannot encode.
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def _expiry(_key: tuple[bytes, bool], verified: Verified, _now: float) -> float:
    return verified.caller.expires_at


def _weigh(verified: Verified) -> int:
    caller = verified.caller
    names = [*caller.scopes, *(caller.organization.permissions if caller.organization else ())]
    return OVERHEAD + sum(map(len, names)) + _NAME * len(names)
