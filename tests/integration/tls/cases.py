"""What can be wrong with a server, or with us: how to come to it, and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.stack.ports import LOOPBACK
from tests.integration.tls.postgres import CERTIFIED

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.tls.conftest import Secured

KAFKA: Final[dict[str, tuple[Callable[[Secured], dict[str, str]], str]]] = {
    "another authority": (
        lambda secured: secured.kafka_variables(KAFKA_SSL_CAFILE=str(secured.stranger.file)),
        "unable to get local issuer certificate",
    ),
    "another name": (
        lambda secured: secured.kafka_variables(
            KAFKA_BOOTSTRAP_SERVERS=secured.kafka.servers("SASL_SSL", host=LOOPBACK)
        ),
        "IP address mismatch",
    ),
    "expired": (lambda secured: secured.kafka_variables("EXPIRED"), "certificate has expired"),
    "no TLS": (
        lambda secured: secured.kafka_variables(
            KAFKA_BOOTSTRAP_SERVERS=secured.kafka.bootstrap_servers
        ),
        "has not answered: is it TLS that it speaks there?",
    ),
    "no certificate of ours": (
        lambda secured: secured.kafka_variables("MUTUAL", KAFKA_SECURITY_PROTOCOL="SSL"),
        "CERTIFICATE_REQUIRED",
    ),
    "wrong password": (
        lambda secured: secured.kafka_variables(KAFKA_SASL_PASSWORD="k-wrong"),
        "SaslAuthenticationFailed",
    ),
}

POSTGRES: Final[dict[str, tuple[Callable[[Secured], str], str]]] = {
    "another authority": (
        lambda secured: secured.database_url(authority=secured.stranger),
        "SSLCertVerificationError: ",
    ),
    "another name": (
        lambda secured: secured.database_url(host=LOOPBACK),
        "SSLCertVerificationError: IP address mismatch",
    ),
    "wrong password": (
        lambda secured: secured.database_url(user="clerkwork:p-wrong"),
        "InvalidPasswordError",
    ),
    "no certificate of ours": (
        lambda secured: secured.database_url(user=CERTIFIED),
        "InvalidAuthorizationSpecificationError",
    ),
}
