"""From settings to FastStream's own way of saying how a broker is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from schema.kafka.connections import connection_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schema.ops.settings import KafkaSettings

_MECHANISMS: Final[Mapping[str, type[SASLPlaintext | SASLScram256 | SASLScram512]]] = {
    "PLAIN": SASLPlaintext,
    "SCRAM-SHA-256": SASLScram256,
    "SCRAM-SHA-512": SASLScram512,
}


def broker_security(settings: KafkaSettings) -> BaseSecurity:
    """Return the security of the connection that `settings` describe."""
    arguments = connection_arguments(settings)
    ssl_context = arguments.get("ssl_context")
    if "sasl_mechanism" not in arguments:
        return BaseSecurity(ssl_context=ssl_context, use_ssl=ssl_context is not None)
    return _MECHANISMS[arguments["sasl_mechanism"]](
        arguments["sasl_plain_username"],
        arguments["sasl_plain_password"],
        ssl_context=ssl_context,
        use_ssl=ssl_context is not None,
    )
