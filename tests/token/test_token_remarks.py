"""What a token says of itself, judged by two clocks, and never shown."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ssemedic.token_remarks import Carried, Level, remarks
from tests.token.conftest import NOW


def token(header: dict[str, Any] | None = None, **claims: Any) -> str:
    parts = [{"alg": "EdDSA", "typ": "JWT", **(header or {})}, claims]
    coded = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts]
    return ".".join([*coded, "c2lnbmF0dXJl"])


def said(
    text: str, ahead: float | None = 0.0, size: int = 500, in_url: bool = True
) -> dict[str, Any]:
    carried = Carried(line_bytes=size, in_url=in_url, now=NOW, clock_ahead=ahead)
    return {remark.part: (remark.level, remark.text) for remark in remarks(text, carried)}


@pytest.mark.parametrize(
    ("left", "ahead", "level", "text"),
    [
        (720, 0.0, Level.GOOD, "valid for 12 min"),
        (-180, 0.0, Level.BAD, "expired 3 min ago"),
        (30, 0.0, Level.WARNING, "ends in 30 s: the next reconnect of a browser is refused"),
        (600, 900.0, Level.BAD, "by the server's clock it expired 5 min ago; by ours it is valid"),
        (-60, -900.0, Level.WARNING, "by our clock it expired 60 s ago; by the server's it is"),
        (720, 1.5, Level.GOOD, "valid for 12 min"),  # a Date header is no better than that
    ],
)
def test_the_end_is_judged_by_both_clocks(
    left: float, ahead: float, level: Level, text: str
) -> None:
    found = said(token(exp=NOW + left), ahead)["exp"]
    assert found[0] == level
    assert found[1].startswith(text)


def test_a_token_without_an_end_is_warned_about() -> None:
    assert said(token(sub="u"))["exp"][0] == Level.WARNING


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("nbf", "it is not valid yet: 90 s to go"),
        ("iat", "it was issued in the future: 90 s to go"),
    ],
)
def test_a_token_of_the_future_is_bad(part: str, text: str) -> None:
    assert said(token(**{part: NOW + 90}))[part] == (Level.BAD, text)


def test_a_server_that_is_behind_finds_a_fresh_token_too_early() -> None:
    found = said(token(iat=NOW - 10), ahead=-60.0)
    assert found["iat"][0] == Level.BAD
    assert "by the server's clock it was issued in the future: 50 s to go" in found["iat"][1]
    assert found["clock"] == (Level.WARNING, "the server's Date header is 60 s behind our clock")


def test_clocks_that_agree_are_not_mentioned() -> None:
    assert "clock" not in said(token(), ahead=0.4)
    assert said(token(), ahead=None)["clock"][0] == Level.NOTE


@pytest.mark.parametrize(
    ("name", "level"),
    [("none", Level.BAD), ("NoNe", Level.BAD), ("HS1", Level.WARNING), ("RS256", Level.GOOD)],
)
def test_the_algorithm_is_judged(name: str, level: Level) -> None:
    assert said(token({"alg": name}))["alg"][0] == level


@pytest.mark.parametrize(
    "claim", ["workspace_id", "tenant", "org_id", "tid", "https://example.org/workspaceId"]
)
def test_a_workspace_claim_is_found_by_its_name_and_its_value_is_not_shown(claim: str) -> None:
    found = said(token(**{claim: "acme-secret-name"}))
    assert found["workspace"] == (Level.NOTE, f"claim {claim}")
    assert "acme" not in str(found)


def test_no_workspace_claim_is_said() -> None:
    assert said(token(organic="x"))["workspace"][1] == "no claim is named like one"


def test_names_are_shown_and_missing_ones_said() -> None:
    found = said(token({"kid": "k1"}, iss="auth", aud=["notify", "chat"]))
    assert [found[p][1] for p in ("kid", "iss", "aud")] == ["k1", "auth", "notify, chat"]
    bare = said(token())
    assert (bare["iss"][1], bare["aud"][1]) == ("is missing", "is missing")


@pytest.mark.parametrize(
    ("size", "in_url", "level", "text"),
    [
        (900, True, Level.GOOD, "within every buffer of nginx"),
        (1025, True, Level.NOTE, "over nginx's client_header_buffer_size (1k)"),
        (8193, True, Level.BAD, "refuse it with 414"),
        (8193, False, Level.BAD, "refuse it with 400"),
        (8192, True, Level.NOTE, "within its large buffers (8k)"),
    ],
)
def test_the_length_is_held_against_the_buffers_of_nginx(
    size: int, in_url: bool, level: Level, text: str
) -> None:
    found = said(token(), size=size, in_url=in_url)["length"]
    assert found[0] == level
    assert text in found[1]


def test_a_token_in_the_url_is_remarked_on_and_one_in_a_header_is_not() -> None:
    assert "place" in said(token(), in_url=True)
    assert "place" not in said(token(), in_url=False)


def test_an_opaque_token_only_has_a_length() -> None:
    found = said("s3cr3t-opaque-token")
    assert set(found) == {"form", "length", "place"}
    assert "s3cr3t" not in str(found)


def test_nothing_of_the_token_itself_is_in_what_is_said() -> None:
    text = token({"kid": "k1"}, sub="user-4711", jti="unique-42", email="a@b.test", exp=NOW + 5)
    told = str(said(text))
    for secret in (*text.split("."), "user-4711", "unique-42", "a@b.test"):
        assert secret not in told
