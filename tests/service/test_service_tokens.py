"""What the reference service makes of a token, over HTTP."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sse_service_wire import PACKAGE, SECRET, Service, claims, token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def refusal(service: Service, bearer: str | None) -> tuple[int, str]:
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    answer = httpx.get(f"{service.url}/events", headers=headers)
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, answer.json()["reason"]


def unsigned(payload: dict[str, object]) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(payload)}."


@pytest.mark.parametrize(
    ("bearer", "expected"),
    [
        (lambda: None, (401, "missing_token")),
        (lambda: "not-a-token", (401, "malformed")),
        (lambda: "x" * 9000, (401, "malformed")),
        (lambda: token(exp=-60), (401, "expired")),
        (lambda: token(nbf=300), (401, "not_yet_valid")),
        (lambda: token(iat=300), (401, "not_yet_valid")),
        (lambda: token(aud="other"), (401, "audience")),
        (lambda: token(iss="other"), (401, "issuer")),
        (lambda: token(exp=None), (401, "missing_claim")),
        (lambda: unsigned(claims()), (401, "algorithm")),
        (lambda: jwt.encode(claims(), SECRET * 2, algorithm="HS512"), (401, "algorithm")),
        (lambda: jwt.encode(claims(), "another" * 8, algorithm="HS256"), (401, "signature")),
        (lambda: token(workspace=None), (403, "workspace")),
        (lambda: token(workspace="a.>"), (403, "workspace")),
        (lambda: token(workspace=7), (403, "workspace")),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_a_token_that_is_not_good_enough_is_refused_before_the_stream(
    service: Service, bearer: Callable[[], str | None], expected: tuple[int, str]
) -> None:
    # Minted now: between the collection of the tests and this one, minutes may pass.
    assert refusal(service, bearer()) == expected


def test_the_log_says_how_far_the_clocks_are_apart(service: Service) -> None:
    refusal(service, token(nbf=300))
    assert "reason=not_yet_valid detail='nbf is 300 s in the future" in service.log.replace(
        "299 s", "300 s"
    )


def test_a_token_within_the_leeway_is_good(
    service: Service, connect: Callable[..., object]
) -> None:
    stream = connect(service, token(exp=-2, nbf=2))
    assert "200" in stream.read_head().split("\r\n")[0]  # type: ignore[attr-defined]


def test_a_refusal_carries_cors_headers_so_that_the_page_can_read_it(service: Service) -> None:
    answer = httpx.get(f"{service.url}/events", headers={"Origin": "https://chat.example.org"})
    assert answer.status_code == 401
    assert answer.headers.get_list("access-control-allow-origin") == ["https://chat.example.org"]


def test_a_token_in_the_url_opens_a_stream_but_posts_no_message(
    service: Service, connect: Callable[..., object]
) -> None:
    stream = connect(service, None, path=f"/events?access_token={token()}")
    assert "200" in stream.read_head().split("\r\n")[0]  # type: ignore[attr-defined]
    url = f"{service.url}/api/chats/c1/messages?access_token={token()}"
    assert httpx.post(url, json={"text": "x"}).status_code == 401


def test_no_token_is_ever_logged(service: Service, connect: Callable[..., object]) -> None:
    good, bad = token(sub="logged"), token(exp=-60, sub="logged")
    connect(service, None, path=f"/events?access_token={good}").read_head()  # type: ignore[attr-defined]
    connect(service, None, path=f"/events?a=1&access%5Ftoken={good}").read_head()  # type: ignore[attr-defined]
    connect(service, None, path=f"/events?{good}").read_head()  # type: ignore[attr-defined]
    refusal(service, bad)
    for secret in (good, bad):
        assert not any(part in service.log for part in secret.split("."))
    assert "/events?a=***&access%5Ftoken=***" in service.log


def test_eddsa_is_accepted_and_its_public_key_is_no_hs256_secret(
    serve: Callable[..., Service], tmp_path: Path
) -> None:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "issuer.pub").write_bytes(public)
    both = serve(
        NOTIFY_TOKEN_ALGORITHMS="HS256,EdDSA",
        NOTIFY_TOKEN_PUBLIC_KEY_FILE=str(tmp_path / "issuer.pub"),
    )
    assert both.post(jwt.encode(claims(), private, algorithm="EdDSA")).status_code == 202
    assert both.post(token()).status_code == 202
    stranger = jwt.encode(claims(), Ed25519PrivateKey.generate(), algorithm="EdDSA")
    assert refusal(both, stranger) == (401, "signature")

    def part(value: object) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    # The classic confusion: signed with the public key's text as the shared secret.
    signed = part({"alg": "HS256", "typ": "JWT"}) + b"." + part(claims())
    mac = jwt.get_algorithm_by_name("HS256").sign(signed, public)
    confused = signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")
    assert refusal(both, confused.decode()) == (401, "signature")


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"NOTIFY_TOKEN_KEY_FILE": "/nonexistent"}, "NOTIFY_TOKEN_KEY_FILE: /nonexistent: No such"),
        ({"NOTIFY_TOKEN_ALGORITHMS": "none"}, "observed 'none', must be of HS256, EdDSA"),
        ({"NOTIFY_PORT": "http"}, "NOTIFY_PORT: observed 'http', must be a number"),
        ({"NOTIFY_SUBJECT": "notify.>"}, "must have {workspace} between two dots"),
        ({"NOTIFY_GZIP": "maybe"}, "NOTIFY_GZIP: observed 'maybe', must be one of off, on"),
        (
            {"NOTIFY_CORS_ORIGINS": "*", "NOTIFY_CORS_CREDENTIALS": "on"},
            "observed * with NOTIFY_CORS_CREDENTIALS=on",
        ),
    ],
    ids=["key", "algorithm", "port", "subject", "switch", "cors"],
)
def test_a_setting_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, variables: dict[str, str], sentence: str
) -> None:
    key = tmp_path / "key"
    key.write_text(SECRET, encoding="ascii")
    environment = {"PYTHONPATH": str(PACKAGE), "NOTIFY_TOKEN_KEY_FILE": str(key), **variables}
    done = subprocess.run(
        [sys.executable, "-m", "notify"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 78
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_mint_writes_a_token_the_service_accepts_for_its_owner_alone(
    service: Service, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(SECRET, encoding="ascii")
    (tmp_path / "notify.env").write_text(
        f'# settings\nNOTIFY_TOKEN_KEY_FILE="{tmp_path}/key"\n', encoding="ascii"
    )
    out = tmp_path / "token"
    out.write_text("older", encoding="ascii")
    out.chmod(0o644)
    command = [sys.executable, "-m", "notify.mint", "--workspace", "acme", "--out", str(out)]
    done = subprocess.run(
        [*command, "--env-file", str(tmp_path / "notify.env")],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert service.post(out.read_text(encoding="ascii").strip()).status_code == 202
