"""TLS as a client: whom to trust, what to present, and what was wrong when it failed."""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

log = logging.getLogger(__name__)

MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
"""How PostgreSQL's clients use TLS: https://www.postgresql.org/docs/18/libpq-ssl.html."""

_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_NEVER_ASK: Final = ""
"""Or OpenSSL would ask the terminal for the password of a key that is encrypted."""


class ClientContext(ssl.SSLContext):
    """Reads its files again at each handshake, since certificates are renewed on disk.

    What cannot be read then is left as it was. Who is trusted once is trusted until the end of the
    process.
    """

    failure: str | None = None
    """Why the last connection has failed."""
    _told: str | None = None

    def __new__(cls, *_files: str | None) -> Self:
        """Make a context that trusts nobody yet, and checks names."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(
        self, authority: str | None, certificate: str | None = None, key: str | None = None
    ) -> None:
        """Take PEM files: authorities, the system's where None, and what to present, if anything.

        Raises OSError, of which ssl.SSLError is one, when they cannot be read.
        """
        self._authority, self._certificate, self._key = authority, certificate, key
        self.sslobject_class = _Connection
        self.minimum_version = ssl.TLSVersion.TLSv1_2
        if authority is None:
            self.load_default_certs()
        self._read()

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002  # the signature of ssl
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a connection."""
        try:
            self._read()
        except OSError as error:
            self.tell(f"certificates cannot be read again ({name_failure(error)})")
        self.failure = f"{server_hostname!s} has not answered: is it TLS that it speaks there?"
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def tell(self, failure: str | None) -> None:
        """Keep what is wrong, if anything; log it once for as long as it is the same."""
        if failure and failure != self._told:
            log.warning("TLS: %s", failure)
        self.failure = self._told = failure

    def _read(self) -> None:
        if self._authority is not None:
            self.load_verify_locations(self._authority)
        if self._certificate is not None:
            # Where the key is not that of the certificate, what was there before would be gone.
            for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self):
                context.load_cert_chain(self._certificate, self._key, password=_NEVER_ASK)


class _Connection(ssl.SSLObject):
    """Tells why it fails: clients of Kafka's say no more than that it has."""

    @property
    def _told(self) -> ClientContext:
        assert isinstance(self.context, ClientContext)  # noqa: S101  # who makes them
        return self.context

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLWantReadError:
            raise
        except ssl.SSLError as error:
            self._told.tell(f"{self.server_hostname} is refused ({name_failure(error)})")
            raise
        self._told.tell(None)

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002  # the signature of ssl
        try:
            return super().read(len, buffer)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLSyscallError):
            raise
        except ssl.SSLError as error:
            # By TLS 1.3, a client's certificate is looked at after the client is done.
            self._told.tell(f"{self.server_hostname} refuses us ({name_failure(error)})")
            raise


def name_failure(error: BaseException) -> str:
    """Return what an exception is called, with OpenSSL's own words where TLS is what failed.

    There is nothing in it but what the server's certificate says and which host was asked.
    """
    name = type(error).__name__
    if isinstance(error, ssl.SSLError):
        # Who raises one by hand gives it none of the two.
        words = getattr(error, "verify_message", None) or getattr(error, "reason", None)
        return f"{name}: {words}" if words else name
    # The operating system raises none but its subclasses; asyncpg says so who speaks no TLS.
    return f"{name}: {error}" if type(error) is ConnectionError else name


def check_tls(database_url: str) -> None:
    """Return when the driver can use what the URL of a database says of TLS. Raises ValueError."""
    said = {name: values[-1] for name, values in parse_qs(urlsplit(database_url).query).items()}
    mode = said.get("sslmode", "prefer")
    if mode not in MODES:
        raise ValueError(f"its sslmode must be one of {', '.join(MODES)}")
    for name in _FILES:
        try:
            if name in said:
                Path(said[name]).read_bytes()
        except OSError as error:
            raise ValueError(f"its {name} cannot be used ({name_failure(error)})") from None
    if mode.startswith("verify-") and not ("sslrootcert" in said or _has_authority()):
        raise ValueError(f"its sslmode {mode} needs sslrootcert, a PEM file of the authority")


def _has_authority() -> bool:
    """Say whether the driver finds one by itself."""
    home = Path(os.environ.get("HOME", "/"), ".postgresql/root.crt")
    return bool(os.environ.get("PGSSLROOTCERT")) or home.exists()
