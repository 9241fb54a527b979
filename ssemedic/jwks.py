"""Keys to verify a token with, and the verdict in one sentence.

The algorithms that may verify a token are fixed by the kind of key, never by the token:
a token that claims HS256 is not checked with the bytes of a public key as its secret.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.types import Options

from ssemedic.token import TokenError, read_secret

PublicKey = (
    rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
)

_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_HMAC = ("HS256", "HS384", "HS512")
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512", "secp256k1": "ES256K"}

#: Times and names are judged apart, each with a sentence of its own.
_SIGNATURE_ALONE: Options = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}

_MAX_BYTES = 256 * 1024
_FETCH_SECONDS = 5.0


class KeyFileError(ValueError):
    """No key can be had from there; the message says why, and holds no key."""


@dataclass(frozen=True)
class Key:
    """One key and the only algorithms that it may verify."""

    value: PublicKey | bytes
    kind: str  # in words, such as "an RSA public key"
    algorithms: tuple[str, ...]
    kid: str | None = None

    def __repr__(self) -> str:
        return f"Key({self.kind}, kid={self.kid!r})"


@dataclass(frozen=True)
class Verification:
    """Whether the signature is good, in a sentence."""

    verified: bool
    text: str


def read_key(path: Path) -> tuple[Key, ...]:
    """The key in a file: PEM public key or certificate, JWK, JWKS, or a shared secret (0600).

    Raises `KeyFileError`.
    """
    try:
        data = path.read_bytes()[: _MAX_BYTES + 1]
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror or error}") from error
    if len(data) > _MAX_BYTES:
        raise KeyFileError(f"{path}: is larger than {_MAX_BYTES} bytes, must be one key")
    if b"-----BEGIN" in data:
        return (_from_pem(data, str(path)),)
    if data.lstrip().startswith(b"{"):
        return keys_of(data, str(path))
    try:
        secret = read_secret(path, "key file").encode()
    except TokenError as error:
        raise KeyFileError(str(error)) from error
    return (Key(secret, "a shared secret", _HMAC),)


def read_jwks(source: str, ca_file: str | None = None) -> tuple[Key, ...]:
    """The keys of a JWKS in a file or behind an http(s) URL; raises `KeyFileError`."""
    if not source.startswith(("http://", "https://")):
        try:
            return keys_of(Path(source).expanduser().read_bytes(), source)
        except OSError as error:
            raise KeyFileError(f"{source}: {error.strerror or error}") from error
    return keys_of(_fetched(source, ca_file), source)


def keys_of(data: bytes, where: str) -> tuple[Key, ...]:
    """The keys of a JWK or JWKS (RFC 7517) that can verify; raises `KeyFileError`."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise KeyFileError(f"{where}: is not JSON, must be a JWK or JWKS") from error
    entries = found.get("keys", [found]) if isinstance(found, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise KeyFileError(f"{where}: must be a JWK, or an object with a list of them in keys")
    keys = tuple(key for key in map(_from_jwk, entries) if key is not None)
    if not keys:
        raise KeyFileError(f"{where}: holds {len(entries)} keys, and none that verifies signatures")
    return keys


def verify(token: str, keys: Iterable[Key]) -> Verification:
    """Whether one of the keys signed the token. Its times and names are not looked at."""
    keys = tuple(keys)
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        return Verification(False, "is no JSON web token, so there is no signature to verify")
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm.lower() == "none":
        return Verification(False, "is not signed (alg none), so no key can vouch for it")
    named = [key for key in keys if key.kid == kid] if kid is not None else []
    if kid is not None and not named and all(key.kid is not None for key in keys):
        known = ", ".join(str(key.kid) for key in keys)
        return Verification(False, f"is signed with key {kid!r}; the key set holds only {known}")
    tried = named or list(keys)
    fitting = [key for key in tried if algorithm in key.algorithms]
    if not fitting:
        return Verification(False, _misfit(algorithm, tried))
    failures = [_failure(token, key, algorithm) for key in fitting]
    if None in failures:
        key = fitting[failures.index(None)]
        return Verification(True, f"the signature is good: {algorithm}, {_called(key)}")
    return Verification(False, f"{failures[0]} ({algorithm}, {_called(fitting[0])})")


def _failure(token: str, key: Key, algorithm: str) -> str | None:
    try:
        jwt.decode(token, key.value, algorithms=[algorithm], options=_SIGNATURE_ALONE)
    except jwt.InvalidSignatureError:
        return "the signature does not match: another key signed it, or it was altered"
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        return f"cannot be verified: {error}"
    return None


def _misfit(algorithm: str, keys: list[Key]) -> str:
    key = keys[0]
    wanted = " or ".join(key.algorithms[:3])
    text = f"claims alg {algorithm}, but the key is {key.kind}, must be {wanted}"
    if algorithm in _HMAC and not isinstance(key.value, bytes):
        text += "; a service that accepts it takes its public key for a secret"
    return text


def _called(key: Key) -> str:
    return f"key {key.kid!r}" if key.kid else key.kind


def _from_pem(data: bytes, where: str) -> Key:
    if b"PRIVATE KEY" in data:
        raise KeyFileError(f"{where}: holds a private key, must be the public one")
    try:
        if b"BEGIN CERTIFICATE" in data:
            value: object = x509.load_pem_x509_certificate(data).public_key()
        else:
            value = load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{where}: is no PEM public key or certificate") from error
    key = _public(value, None)
    if key is None:
        raise KeyFileError(f"{where}: is a kind of key that signs no tokens")
    return key


def _from_jwk(entry: Mapping[str, Any]) -> Key | None:
    """A key that may verify signatures, or None (RFC 7517, 4.2-4.4)."""
    operations = entry.get("key_ops")
    if entry.get("use", "sig") != "sig":
        return None
    if isinstance(operations, list) and not {"verify", "sign"} & set(map(str, operations)):
        return None
    kid = entry.get("kid")
    kid = kid if isinstance(kid, str) else None
    try:
        value = jwt.PyJWK(dict(entry)).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(value, bytes):
        key: Key | None = Key(value, "a shared secret", _HMAC, kid)
    else:
        public = getattr(value, "public_key", None)  # a private key holds its public one
        key = _public(public() if public else value, kid)
    return _narrowed(key, entry.get("alg")) if key else None


def _narrowed(key: Key, algorithm: object) -> Key | None:
    """Only the algorithm that the JWK names, where it names one (RFC 7517, 4.4)."""
    if not isinstance(algorithm, str):
        return key
    if algorithm not in key.algorithms:
        return None
    return Key(key.value, key.kind, (algorithm,), key.kid)


def _public(value: object, kid: str | None) -> Key | None:
    if isinstance(value, rsa.RSAPublicKey):
        return Key(value, "an RSA public key", _RSA, kid)
    if isinstance(value, ec.EllipticCurvePublicKey) and value.curve.name in _CURVES:
        curve = value.curve.name
        return Key(value, f"an EC public key ({curve})", (_CURVES[curve],), kid)
    if isinstance(value, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
        return Key(value, "an EdDSA public key", ("EdDSA",), kid)
    return None


def _fetched(url: str, ca_file: str | None) -> bytes:
    data = b""
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    try:
        context = ssl.create_default_context(cafile=ca_file)
        with (
            httpx.Client(trust_env=False, timeout=_FETCH_SECONDS, verify=context) as client,
            client.stream("GET", url, headers=headers) as answer,
        ):
            if answer.status_code != 200:
                raise KeyFileError(f"{url}: answered {answer.status_code}, must be 200 and a JWKS")
            for part in answer.iter_raw():
                data += part
                if len(data) > _MAX_BYTES:
                    raise KeyFileError(f"{url}: sends more than {_MAX_BYTES} bytes, must be a JWKS")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise KeyFileError(f"{url}: {error}") from error
    return data
