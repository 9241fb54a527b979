"""A key verifies only with the algorithms of its kind, and every failure is one clear sentence."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import jwt
import pytest

from ssemedic.jwks import KeyFileError, keys_of, read_jwks, read_key, verify
from tests.token.conftest import Pair

CLAIMS = {"sub": "user", "exp": 1}  # long expired: times are not a matter of the signature
SECRET = "a shared secret of more than thirty-two bytes"

Pairs = dict[str, Pair]


def part(data: dict[str, Any] | bytes) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged_with_public_key(pem: bytes, algorithm: str = "HS256") -> str:
    """The classic: the public key's bytes as an HMAC secret."""
    start = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(CLAIMS)}"
    return f"{start}.{part(hmac.new(pem, start.encode(), hashlib.sha256).digest())}"


@pytest.mark.parametrize("name", ["RS256", "ES256", "EdDSA"])
def test_a_good_signature_verifies_by_pem_and_by_jwks(
    name: str, pairs: Pairs, tmp_path: Path
) -> None:
    pair = pairs[name]
    path = tmp_path / "key.pem"
    path.write_bytes(pair.pem)
    token = pair.sign(CLAIMS, kid="k1")
    assert verify(token, read_key(path)).verified
    result = verify(token, keys_of(json.dumps({"keys": [pair.jwk(kid="k1")]}).encode(), "set"))
    assert result.verified
    assert result.text == f"the signature is good: {name}, key 'k1'"


@pytest.mark.parametrize("name", ["RS256", "ES256", "EdDSA"])
def test_a_public_key_is_never_taken_for_a_secret(name: str, pairs: Pairs, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pairs[name].pem)
    result = verify(forged_with_public_key(pairs[name].pem), read_key(path))
    assert not result.verified
    assert "claims alg HS256, but the key is an" in result.text
    assert "takes its public key for a secret" in result.text


def test_none_is_not_a_signature(pairs: Pairs) -> None:
    keys = keys_of(json.dumps(pairs["RS256"].jwk()).encode(), "key")
    for name in ("none", "None", "NONE"):
        token = f"{part({'alg': name})}.{part(CLAIMS)}."
        assert verify(token, keys).text == "is not signed (alg none), so no key can vouch for it"


def test_an_altered_token_does_not_verify(pairs: Pairs) -> None:
    keys = keys_of(json.dumps(pairs["ES256"].jwk()).encode(), "key")
    head, _claims, signature = pairs["ES256"].sign(CLAIMS).split(".")
    result = verify(f"{head}.{part({'sub': 'admin'})}.{signature}", keys)
    assert not result.verified
    assert "another key signed it, or it was altered" in result.text


def test_a_key_that_is_not_in_the_set_is_named(pairs: Pairs) -> None:
    keys = keys_of(json.dumps({"keys": [pairs["RS256"].jwk(kid="k1")]}).encode(), "set")
    result = verify(pairs["RS256"].sign(CLAIMS, kid="k2"), keys)
    assert result.text == "is signed with key 'k2'; the key set holds only k1"


def test_a_token_without_kid_is_tried_with_every_key_that_fits(pairs: Pairs) -> None:
    entries = [pairs[name].jwk(kid=name) for name in ("RS256", "ES256", "EdDSA")]
    keys = keys_of(json.dumps({"keys": entries}).encode(), "set")
    assert verify(pairs["EdDSA"].sign(CLAIMS), keys).verified


def test_the_algorithm_that_a_jwk_names_is_the_only_one(pairs: Pairs) -> None:
    keys = keys_of(json.dumps(pairs["RS256"].jwk(alg="RS512")).encode(), "key")
    result = verify(pairs["RS256"].sign(CLAIMS), keys)
    assert not result.verified
    assert "must be RS512" in result.text


def test_keys_for_encryption_and_private_use_do_not_verify(pairs: Pairs) -> None:
    for more in ({"use": "enc"}, {"alg": "RSA-OAEP"}):
        with pytest.raises(KeyFileError, match="none that verifies"):
            keys_of(json.dumps(pairs["RS256"].jwk(**more)).encode(), "set")


def test_a_shared_secret_verifies_hmac_and_must_be_private(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="must be 0600"):
        read_key(path)
    path.chmod(0o600)
    assert verify(jwt.encode(CLAIMS, SECRET, "HS256"), read_key(path)).verified
    assert SECRET not in repr(read_key(path))


def test_a_private_key_is_refused(pairs: Pairs, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pairs["RS256"].private_pem)
    with pytest.raises(KeyFileError, match="holds a private key, must be the public one"):
        read_key(path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "is no PEM public key"),
        ('{"keys": 5}', "must be a JWK"),
        ('{"keys": [5]}', "must be a JWK"),
        ('{"keys": []}', "holds 0 keys"),
        ('{"kty": "RSA", "n": "!", "e": "AQAB"}', "holds 1 keys, and none that verifies"),
        ("{" * 9000, "is not JSON"),
    ],
)
def test_what_is_no_key_is_said_in_a_sentence(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=re.escape(complaint)):
        read_key(path)


def test_an_opaque_token_has_no_signature(pairs: Pairs) -> None:
    keys = keys_of(json.dumps(pairs["RS256"].jwk()).encode(), "key")
    assert "is no JSON web token" in verify("opaque", keys).text


def test_a_set_that_cannot_be_fetched_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=re.escape("http://127.0.0.1:1/jwks: ")):
        read_jwks("http://127.0.0.1:1/jwks")
    with pytest.raises(KeyFileError, match="No such file"):
        read_jwks(str(tmp_path / "none"))
