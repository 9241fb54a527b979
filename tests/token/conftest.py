"""Keys of every kind, made anew for each session."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

NOW = 1_800_000_000.0


@dataclass(frozen=True)
class Pair:
    """A key pair, and what a service would publish of it."""

    private: Any
    algorithm: str

    @property
    def pem(self) -> bytes:
        """The public key."""
        public = self.private.public_key()
        return bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    @property
    def private_pem(self) -> bytes:
        """The private key."""
        form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return bytes(self.private.private_bytes(*form))

    def jwk(self, **more: str) -> dict[str, Any]:
        """The public key as a JWK."""
        maker = jwt.get_algorithm_by_name(self.algorithm)
        return {**json.loads(maker.to_jwk(self.private.public_key())), **more}

    def sign(self, claims: Mapping[str, Any], **header: str) -> str:
        """A token."""
        return jwt.encode(dict(claims), self.private, self.algorithm, headers=header or None)


@pytest.fixture(scope="session")
def pairs() -> dict[str, Pair]:
    """One key pair of each kind, by the algorithm."""
    return {
        "RS256": Pair(rsa.generate_private_key(65537, 2048), "RS256"),
        "ES256": Pair(ec.generate_private_key(ec.SECP256R1()), "ES256"),
        "EdDSA": Pair(ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    }
