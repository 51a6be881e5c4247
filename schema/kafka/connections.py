"""From settings to a connection: the arguments that every aiokafka client takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schema.ops.tls import ClientContext, name_failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schema.ops.settings import KafkaSettings


def name_trouble(error: BaseException, connection: Mapping[str, Any]) -> str:
    """Return what keeps Kafka from being reached: what TLS says, else what the exception is called.

    `connection` is what `connection_arguments` returned.
    """
    context = connection.get("ssl_context")
    return (context.failure if context else None) or name_failure(error)


def connection_arguments(settings: KafkaSettings) -> dict[str, Any]:
    """Return the keyword arguments that say where Kafka is and how to be trusted by it."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.endswith("SSL"):
        arguments["ssl_context"] = ClientContext(
            settings.kafka_ssl_cafile, settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile
        )
    if settings.kafka_sasl_password and settings.kafka_security_protocol.startswith("SASL_"):
        arguments |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
        }
    return arguments
