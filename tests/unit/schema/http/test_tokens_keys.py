"""Reading Clerk's public keys, as PEM and as a JWK set."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import RSAAlgorithm

from schema.http.tokens.keys import PemKey, parse_jwks, parse_pem

if TYPE_CHECKING:
    from collections.abc import Callable


def public(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """Write the public half of `key` as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    "mangle",
    [
        pytest.param(lambda pem: pem, id="as it is"),
        pytest.param(lambda pem: pem.replace("\n", "\\n"), id="newlines escaped"),
        pytest.param(lambda pem: pem.replace("\n", "\r\n"), id="Windows newlines"),
        pytest.param(lambda pem: f"\n{pem.strip()}", id="without the last newline"),
    ],
)
def test_a_pem_survives_the_ways_into_an_environment(
    signing_key: rsa.RSAPrivateKey, public_pem: str, mangle: Callable[[str], str]
) -> None:
    """Files, dashboards and compose files write newlines differently."""
    assert parse_pem(mangle(public_pem)) == signing_key.public_key()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pk_test_abc",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        public(ec.generate_private_key(ec.SECP256R1())),
        public(rsa.generate_private_key(public_exponent=65537, key_size=1024)),  # noqa: S505 - the point
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode(),
        "é\udc80",
    ],
)
def test_a_pem_that_is_no_usable_public_key_is_refused(text: str) -> None:
    """Other kinds, short keys, private keys, keys of another setting."""
    with pytest.raises(ValueError, match="must be "):
        parse_pem(text)


async def test_the_key_of_the_settings_serves_every_key_id(
    signing_key: rsa.RSAPrivateKey,
) -> None:
    """With a PEM nobody can say which id it has."""
    keys = PemKey(signing_key.public_key())

    await keys.check()

    assert await keys.find("ins_1") == await keys.find(None) == signing_key.public_key()


def test_only_keys_for_rs256_signatures_are_taken(signing_key: rsa.RSAPrivateKey) -> None:
    """A set may hold keys of other kinds, for other uses, or broken; they harm no other."""
    good = RSAAlgorithm.to_jwk(signing_key.public_key(), as_dict=True)
    body = json.dumps(
        {
            "keys": [
                {**good, "kid": "ins_1", "use": "sig", "alg": "RS256", "x5c": []},
                {**good, "kid": "plain"},
                {**good, "kid": "null", "use": None, "alg": None},
                {**good, "kid": "other-use", "use": "enc"},
                {**good, "kid": "other-algorithm", "alg": "PS256"},
                {"kty": "RSA", "kid": "without-numbers"},
                {"kty": "RSA", "kid": "broken", "n": "?", "e": "?"},
                {"kty": "EC", "kid": "elliptic", "crv": "P-256", "x": "AA", "y": "AA"},
                good,
            ]
        }
    ).encode()

    assert parse_jwks(body) == dict.fromkeys(("ins_1", "plain", "null"), signing_key.public_key())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"keys": null}',
        b'{"keys": []}',
        b'{"keys": [7]}',
        b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}',
        b'{"keys": [{"kty": "oct", "kid": "secret", "k": "AAAA"}]}',
        b'"\xff"',
        b"[" * 60_000,
    ],
)
def test_a_set_without_a_usable_key_is_refused(body: bytes) -> None:
    """An error page of a proxy must not replace the keys that we have."""
    with pytest.raises((msgspec.DecodeError, ValueError, RecursionError, jwt.PyJWKSetError)):
        parse_jwks(body)
