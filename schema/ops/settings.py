"""Settings: one frozen class per process, read once from the environment and from files.

A bad value stops the start with every problem named at once; values are never repeated in the
message, because one of them may be a secret in the wrong variable.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PostgresDsn,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schema.ops.files import FilesSource
from schema.ops.tls import ClientContext, check_tls, name_failure

if TYPE_CHECKING:
    from pydantic_settings import PydanticBaseSettingsSource


def split_commas(value: object) -> object:
    """Split a comma-separated string into its non-empty parts; pass anything else through."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class ProcessSettings(BaseSettings):
    """What every process reads."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    log_format: Literal["console", "json"] = Field(
        "console", description="`console` for people, `json` for log collectors"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="lowest level that is written"
    )
    clerkwork_secrets_dir: Annotated[Path | None, BeforeValidator(lambda value: value or None)] = (
        Field(
            None,
            description="a directory whose files are variables: each that is named as one here has"
            " its value, unless the environment has it too; unset, there are no files",
        )
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # pydantic's own signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Have the environment looked at first, then files."""
        return init_settings, env_settings, FilesSource(settings_cls)


class TracedSettings(ProcessSettings):
    """Where the traces of a service go."""

    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        description="where traces go: a collector's `http://host:4318`, by OTLP/HTTP; unset: there"
        " are none. All other variables of OpenTelemetry's SDK hold too",
    )
    otel_sdk_disabled: bool = Field(False, description="whether there are no traces in any case")

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _check_collector(cls, value: str | None) -> str | None:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must be an http:// or https:// URL")
        return value

    @property
    def traced(self) -> bool:
        """Whether somebody collects traces."""
        return bool(self.otel_exporter_otlp_endpoint) and not self.otel_sdk_disabled


class SharedSettings(TracedSettings):
    """How several processes of a service are behind one scrape target."""

    metrics_share: Annotated[Path | None, BeforeValidator(lambda value: value or None)] = Field(
        None,
        description="a directory, the same for all processes that listen on one port: whichever"
        " is scraped tells of all, each with its label `process`; unset, each of itself",
    )


def check_addresses(value: str) -> str:
    """Return what names Kafka's servers. Raises ValueError."""
    for address in value.split(","):
        host, _, port = address.strip().rpartition(":")
        if not host or not port.isdigit():
            raise ValueError("each address must be host:port")
    return value


FileName: TypeAlias = Annotated[str | None, BeforeValidator(lambda value: value or None)]


def _check_files(variable: str, *files: str | None) -> None:
    try:
        ClientContext(*files)
    except OSError as error:
        raise ValueError(f"{variable} cannot be used ({name_failure(error)})") from None


class KafkaAccessSettings(ProcessSettings):
    """How to be let in by Kafka, wherever it is."""

    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how connections to Kafka are secured"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="used with `SASL_*` protocols"
    )
    kafka_sasl_username: str | None = Field(None, description="used with `SASL_*` protocols")
    kafka_sasl_password: SecretStr | None = Field(None, description="used with `SASL_*` protocols")
    kafka_ssl_cafile: FileName = Field(
        None, description="PEM file of the broker's authority; the system's when unset"
    )
    kafka_ssl_certfile: FileName = Field(
        None,
        description="PEM file of what Kafka is shown, where it asks for a client's certificate:"
        " that and those between it and the authority",
    )
    kafka_ssl_keyfile: FileName = Field(
        None,
        description="PEM file of its key, without a password; unset, it is in"
        " `KAFKA_SSL_CERTFILE` too. Files that are renewed are read when a connection is made",
    )

    @model_validator(mode="after")
    def _check_tls(self) -> KafkaAccessSettings:
        files = (self.kafka_ssl_cafile, self.kafka_ssl_certfile, self.kafka_ssl_keyfile)
        if not any(files):
            return self
        if not self.kafka_security_protocol.endswith("SSL"):
            raise ValueError("KAFKA_SSL_* need KAFKA_SECURITY_PROTOCOL to be SSL or SASL_SSL")
        if self.kafka_ssl_keyfile and not self.kafka_ssl_certfile:
            raise ValueError("KAFKA_SSL_KEYFILE needs KAFKA_SSL_CERTFILE")
        _check_files("KAFKA_SSL_CAFILE", self.kafka_ssl_cafile)
        _check_files("KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE", *files)
        return self

    @model_validator(mode="after")
    def _check_sasl(self) -> KafkaAccessSettings:
        if self.kafka_security_protocol.startswith("SASL_") and not (
            self.kafka_sasl_username and self.kafka_sasl_password
        ):
            raise ValueError(
                "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD are needed with a SASL protocol"
            )
        return self


class KafkaSettings(KafkaAccessSettings):
    """How to reach Kafka."""

    kafka_bootstrap_servers: Annotated[str, AfterValidator(check_addresses)] = Field(
        description="`host:port`, comma-separated; the API needs it with `CLERK_SECRET_KEY` only"
    )


class DatabaseSettings(ProcessSettings):
    """How to reach PostgreSQL."""

    database_url: Annotated[SecretStr, NoDecode] = Field(
        description="`postgresql://user:password@host:port/database`, and for TLS"
        " `?sslmode=verify-full&sslrootcert=…`"
    )

    @field_validator("database_url")
    @classmethod
    def _check_url(cls, value: SecretStr) -> SecretStr:
        try:
            PostgresDsn(value.get_secret_value())
        except ValidationError:
            raise ValueError("must be a postgresql:// URL") from None
        check_tls(value.get_secret_value())
        return value


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def read_settings(settings: type[SettingsT]) -> SettingsT:
    """Read `settings` from the environment.

    Raises SystemExit with one line per problem: variable, reason, never the value.
    """
    try:
        return settings()
    except ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(map(str, each['loc'])).upper() or 'settings'}: {each['msg']}"
            for each in error.errors(include_input=False, include_url=False, include_context=False)
        )
        message = f"The environment does not hold valid {settings.__name__}:\n{problems}"
    raise SystemExit(message)
