"""Certificates, made when they are needed: an authority, and what it vouches for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

HOST: Final = "localhost"
"""The one name that certificates of servers have; 127.0.0.1 is another."""
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Authority:
    """Signs certificates; `file` is what who trusts it needs, as PEM."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    file: Path

    @classmethod
    def make(cls, directory: Path, name: str) -> Self:
        """Return a new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _begin(name, key, days=(-2, 2)).issuer_name(_name(name))
        limits = x509.BasicConstraints(ca=True, path_length=0)
        certificate = builder.add_extension(limits, critical=True).sign(key, hashes.SHA256())
        file = directory / f"{name}.crt"
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(key=key, certificate=certificate, file=file)

    def issue(self, name: str, directory: Path, *, days: tuple[int, int] = (-2, 2)) -> Certificate:
        """Return a certificate for a name, valid between two days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _begin(name, key, days=days).issuer_name(self.certificate.subject)
        alternative = x509.SubjectAlternativeName([x509.DNSName(name)])
        signed = builder.add_extension(alternative, critical=False).sign(self.key, hashes.SHA256())
        made = Certificate(file=directory / "tls.crt", key_file=directory / "tls.key")
        directory.mkdir(exist_ok=True)
        made.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        made.key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,  # Kafka reads no other
                serialization.NoEncryption(),
            )
        )
        made.key_file.chmod(0o600)
        return made


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate and its key, as files named as cert-manager's are."""

    file: Path
    key_file: Path

    def together(self) -> Path:
        """Return both in one file, as Kafka takes them."""
        whole = self.file.with_name("both.pem")
        whole.write_bytes(self.key_file.read_bytes() + self.file.read_bytes())
        return whole


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begin(
    name: str, key: ec.EllipticCurvePrivateKey, *, days: tuple[int, int]
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0] * DAY)
        .not_valid_after(now + days[1] * DAY)
    )
