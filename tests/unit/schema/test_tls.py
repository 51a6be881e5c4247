"""TLS as a client: files that are no good stop the start, files that are renewed are read again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from typing import TYPE_CHECKING

import asyncpg
import pytest
from aiohttp.test_utils import unused_port

from api.database import is_away, is_not_now
from schema.kafka.connections import connection_arguments
from schema.ops.settings import DatabaseSettings, KafkaSettings, read_settings
from schema.ops.tls import MODES, ClientContext, name_failure
from tests.certificates import HOST, Authority
from workers.classify import ConfigurationError, UnreachableError, not_now_unless_bad

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.certificates import Certificate

URL = "postgresql://worker:hunter2@db.internal/clerkwork"


def _refuses(settings: type[DatabaseSettings | KafkaSettings]) -> str:
    with pytest.raises(SystemExit) as stop:
        read_settings(settings)
    return str(stop.value).splitlines()[1].strip().removeprefix("settings: Value error, ")


def _kafka(monkeypatch: pytest.MonkeyPatch, **variables: object) -> None:
    known = {"BOOTSTRAP_SERVERS": "localhost:9093", "SECURITY_PROTOCOL": "SSL"}
    for name, value in (known | variables).items():
        monkeypatch.setenv(f"KAFKA_{name}", str(value))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority of this test's own."""
    return Authority.make(tmp_path, "authority")


def test_kafka_gets_a_context_of_the_files(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It checks the name and the certificate, and presents what there is; empty is unset."""
    client = authority.issue("client", tmp_path / "client")
    _kafka(
        monkeypatch,
        SSL_CAFILE=authority.file,
        SSL_CERTFILE=client.together(),
        SSL_KEYFILE="",
    )
    context = connection_arguments(read_settings(KafkaSettings))["ssl_context"]

    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) == 1


def test_files_that_kafka_cannot_use_stop_the_start(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing, not what it is called, of another pair, or of no use: it says which variable."""
    one, other = (authority.issue(name, tmp_path / name) for name in ("one", "other"))
    (tmp_path / "empty").touch()
    told = []
    for variables in (
        {"SSL_CAFILE": tmp_path / "nowhere"},
        {"SSL_CAFILE": tmp_path / "empty"},
        {"SSL_CERTFILE": one.file, "SSL_KEYFILE": other.key_file},
        {"SSL_KEYFILE": one.key_file},
        {"SSL_CAFILE": authority.file, "SECURITY_PROTOCOL": "PLAINTEXT"},
    ):
        with monkeypatch.context() as patch:
            _kafka(patch, **variables)
            told.append(_refuses(KafkaSettings))

    assert told == [
        "KAFKA_SSL_CAFILE cannot be used (FileNotFoundError)",
        "KAFKA_SSL_CAFILE cannot be used (SSLError: NO_CERTIFICATE_OR_CRL_FOUND)",
        "KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE cannot be used (SSLError: KEY_VALUES_MISMATCH)",
        "KAFKA_SSL_KEYFILE needs KAFKA_SSL_CERTFILE",
        "KAFKA_SSL_* need KAFKA_SECURITY_PROTOCOL to be SSL or SASL_SSL",
    ]


def test_what_a_database_url_says_of_tls_is_checked(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first connection, and without repeating the URL."""
    monkeypatch.setenv("HOME", str(tmp_path))
    told = []
    for query in (
        "sslmode=always",
        "sslmode=verify-full",
        f"sslmode=verify-full&sslrootcert={tmp_path}/nowhere",
    ):
        monkeypatch.setenv("DATABASE_URL", f"{URL}?{query}")
        told.append(_refuses(DatabaseSettings))
    monkeypatch.setenv("DATABASE_URL", f"{URL}?sslmode=verify-full&sslrootcert={authority.file}")

    assert [each.removeprefix("DATABASE_URL: Value error, ") for each in told] == [
        f"its sslmode must be one of {', '.join(MODES)}",
        "its sslmode verify-full needs sslrootcert, a PEM file of the authority",
        "its sslrootcert cannot be used (FileNotFoundError)",
    ]
    assert read_settings(DatabaseSettings).database_url.get_secret_value().startswith(URL)


@contextlib.asynccontextmanager
async def _serving(
    authority: Authority, shown: Certificate
) -> AsyncIterator[tuple[int, list[str]]]:
    """Serve TLS to whom the authority vouches for, and note their names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.file, shown.key_file)
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    names: list[str] = []

    async def note(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        subject = writer.get_extra_info("peercert")["subject"]
        names.append(dict(part[0] for part in subject)["commonName"])
        writer.close()

    port = unused_port()
    async with await asyncio.start_server(note, HOST, port, ssl=context):
        yield port, names


async def _connect(port: int, context: ssl.SSLContext) -> None:
    reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
    await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_renewed_files_are_read_at_the_next_connection(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No restart is needed; half of a renewal changes nothing, and is told."""
    mine = authority.issue("first", tmp_path / "mine")
    context = ClientContext(str(authority.file), str(mine.file), str(mine.key_file))
    async with _serving(authority, authority.issue(HOST, tmp_path / "server")) as (port, names):
        await _connect(port, context)
        authority.issue("second", tmp_path / "mine")
        await _connect(port, context)
        authority.issue("third", tmp_path / "other").file.replace(mine.file)
        caplog.set_level(logging.WARNING, logger="schema.ops.tls")  # the doctor makes it silent
        await _connect(port, context)

    assert names == ["first", "second", "second"]
    assert [each.message for each in caplog.records] == [
        "TLS: certificates cannot be read again (SSLError: KEY_VALUES_MISMATCH)"
    ]


async def test_a_server_that_is_not_trusted_is_told_of_once(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Clients of Kafka's try again many times; the reason is kept for who asks."""
    client = authority.issue("client", tmp_path / "client")
    context = ClientContext(str(authority.file), str(client.file), str(client.key_file))
    caplog.set_level(logging.WARNING, logger="schema.ops.tls")
    shown = authority.issue(HOST, tmp_path / "server", days=(-2, -1))
    async with _serving(authority, shown) as (port, _names):
        for _ in range(3):
            with pytest.raises(ssl.SSLCertVerificationError):
                await _connect(port, context)

    words = f"{HOST} is refused (SSLCertVerificationError: certificate has expired)"
    assert context.failure == words
    assert [each.message for each in caplog.records if each.name == "schema.ops.tls"] == [
        f"TLS: {words}"
    ]


def test_a_certificate_is_nobodys_bug() -> None:
    """Python calls a failed verification a ValueError, as the driver does what we say wrongly."""
    untrusted = ssl.SSLCertVerificationError(1, "certificate verify failed")
    contrary = asyncpg.ClientConfigurationError("no such file")
    bug = asyncpg.InterfaceError("the server expects 1 argument")

    assert is_not_now(untrusted)
    assert is_away(untrusted)
    assert is_not_now(contrary)
    assert is_not_now(bug)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), ConfigurationError),
        (asyncpg.ClientConfigurationError("no such file"), ConfigurationError),
        (ConnectionError("rejected SSL upgrade"), UnreachableError),
    ],
)
def test_workers_wait_until_it_is_set_right(error: Exception, expected: type[Exception]) -> None:
    """No event dies because a certificate has run out."""
    with pytest.raises(expected) as raised, not_now_unless_bad():
        raise error

    assert str(raised.value) == name_failure(error)
