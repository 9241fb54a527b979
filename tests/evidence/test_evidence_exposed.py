"""Tokens in logs are counted on the host, in bounded time and memory, and never told."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import os
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.sse_host import exposed

from ssemedic.evidence import ExposedTokens, decode

FUTURE, PAST = 4_102_444_800, 1_700_000_000


def jwt(expiry: float | None, subject: str = "ana") -> str:
    said = {"sub": subject, **({"exp": expiry} if expiry is not None else {})}
    parts = [{"alg": "HS256"}, said]
    encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


def line(target: str) -> str:
    return f'10.0.0.7 - - [23/Nov/2026:21:43:37 +0000] "GET {target} HTTP/1.1" 200 43 "-" "M"\n'


def counted(path: Path, *parameters: str, seconds: float = 5.0) -> ExposedTokens:
    (found,) = exposed.count([str(path)], parameters, seconds)
    json.dumps(found)
    return decode(ExposedTokens, found, "exposed")


def test_different_tokens_count_once_by_their_validity(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    tokens = [jwt(FUTURE), jwt(FUTURE, "bo"), jwt(PAST), jwt(None), "opaque-0123456789"]
    log.write_text("".join(line(f"/events?access_token={t}&a=1") for t in tokens * 3))
    found = counted(log)
    assert (found.distinct, found.valid, found.expired, found.unknown) == (5, 3, 1, 1)
    assert found.last_expiry == FUTURE
    assert found.files == (str(log),)
    assert found.stopped == ""


FORMS = {
    "plain": "/events?access_token={}",
    "later": "/events?a=1&access_token={}&b=2",
    "named otherwise": "/events?ticket={}",
    "camel case": "/events?accessToken={}",
    "name percent-encoded": "/events?access%5Ftoken={}",
    "inside another URL": "/login?next=%2Fevents%3Faccess_token%3D{}%26a%3D1",
    "in the path": "/events/{}/x",
    "under any name": "/events?q={}",
    "the inventory's own name": "/events?x-chat={}",
    "value percent-encoded": "/events?access_token={percent}",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_token_is_the_same_in_every_form(form: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    token = jwt(FUTURE)
    target = FORMS[form].format(token, percent=token.replace(".", "%2E"))
    log.write_text(line("/events?access_token=" + token) + line(target))
    found = counted(log, "x-chat")
    assert (found.distinct, found.valid) == (1, 1)
    log.write_text(line(target))
    assert counted(log, "x-chat").distinct == 1


@pytest.mark.parametrize(
    "target",
    [
        "/events",
        "/events?access_token=***",
        "/events?access_token=***&a=1",
        "/events?access_token=",
        "/events?token=short",
        "/events?page=12345678901234567890",
        "/tokens/list?sort=ascending-by-date",
    ],
)
def test_what_is_no_token_is_not_counted(target: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(line(target))
    found = counted(log)
    assert (found.distinct, found.files, found.read) == (0, (), 1)


def test_rotated_files_count_too_newest_first(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    names = ["access.log.1", "access.log.2.gz", "access.log.3.bz2", "access.log.4.xz",
             "access.log-20261101", "access.log-20261001.gz"]  # fmt: skip
    log.write_text(line("/health"))
    for age, name in enumerate(names):
        data = line(f"/events?access_token={jwt(PAST, name)}").encode()
        pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
        packed = pack.get(Path(name).suffix, bytes)(data)
        (tmp_path / name).write_bytes(packed)
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    for other in ("access.log.bak", "other.log", "access.logger.1"):
        (tmp_path / other).write_text(line(f"/events?access_token={jwt(FUTURE)}"))
    found = counted(log)
    assert found.files == tuple(str(tmp_path / name) for name in names)
    assert (found.distinct, found.expired, found.valid, found.read) == (6, 6, 0, 7)


def test_no_token_leaves_the_host(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    secrets = [jwt(FUTURE), "opaque-0123456789"]
    log.write_text("".join(line(f"/events?access_token={t}") for t in secrets))
    text = json.dumps(exposed.count([str(log)], []))
    assert not [s for s in secrets if s in text or s[-8:] in text]
    assert "ana" not in text


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("access.log.1.zst", b"x", "not read here"),
        ("access.log.1.gz", b"not gzip at all", "gzip"),
        ("access.log.1.gz", gzip.compress(os.urandom(5000))[:-2000], "ended"),
        ("access.log.1.xz", b"\xfd7zXZ\x00broken", "corrupt|Corrupt"),
    ],
)
def test_what_cannot_be_read_is_said(
    name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "access.log").write_text(line(f"/events?access_token={jwt(FUTURE)}"))
    (tmp_path / name).write_bytes(content)
    found = counted(tmp_path / "access.log")
    assert found.distinct == 1
    assert name in found.stopped
    assert pytest.approx(1) == found.read


def test_a_pipe_a_folder_or_nothing_in_its_place_does_no_harm(tmp_path: Path) -> None:
    pipe, folder = tmp_path / "pipe.log", tmp_path / "folder.log"
    os.mkfifo(pipe)
    folder.mkdir()
    assert "not a regular file" in counted(pipe).stopped
    assert counted(folder).distinct == 0 and counted(folder).stopped
    assert counted(tmp_path / "absent.log") == ExposedTokens(str(tmp_path / "absent.log"))


def test_a_token_across_two_blocks_counts_once_and_whole(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    token = jwt(FUTURE)
    request = line(f"/events?access_token={token}")
    for shift in range(0, len(request), 7):
        filler = "x" * (exposed._BLOCK - shift - 1) + "\n"
        log.write_text(filler + request)
        found = counted(log)
        assert (found.distinct, found.valid) == (1, 1)


def test_a_huge_log_takes_little_time_and_memory_and_says_where_it_stopped(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with log.open("wb") as file:
        file.truncate(40 << 30)  # sparse: forty gigabytes
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + line(f"/events?access_token={jwt(FUTURE)}").encode())
    bomb = tmp_path / "access.log.1.gz"
    with gzip.open(bomb, "wb", compresslevel=1) as packed:
        for _ in range(300):
            packed.write(b"\0" * (1 << 20))
    tracemalloc.start()
    began = time.monotonic()
    found = counted(log, seconds=1.0)
    took, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < 4.0
    assert peak < 16 << 20
    assert found.stopped
    assert str(log) in found.stopped


def test_many_tokens_stop_at_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposed, "_MOST_TOKENS", 100)
    log = tmp_path / "access.log"
    log.write_text("".join(line(f"/events?token=opaque-{n:09}") for n in range(500)))
    found = counted(log)
    assert (found.distinct, found.stopped) == (100, "more than 100 different tokens")


def test_time_that_is_over_is_said_but_the_first_lines_are_looked_at(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(line(f"/events?token={jwt(PAST)}"))
    assert (counted(log, seconds=0.0).distinct, counted(log, seconds=0.0).stopped) == (1, "")
    with log.open("a") as file:
        file.write(line("/health") * 5000 + line(f"/events?token={jwt(FUTURE)}"))
    found = counted(log, seconds=0.0)
    assert found.distinct == 1
    assert "to be quick" in found.stopped


HOSTILE: dict[str, Any] = {
    "claims that are no object": base64.urlsafe_b64encode(b"[1,2]").decode().rstrip("="),
    "an expiry of text": base64.urlsafe_b64encode(b'{"exp":"soon"}').decode().rstrip("="),
    "an endless number": base64.urlsafe_b64encode(b'{"exp":1e999}').decode().rstrip("="),
    "deep nesting": base64.urlsafe_b64encode(b'{"a":' * 800 + b"1" + b"}" * 800).decode(),
    "no base64": "eyJ!!!!",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_token_is_counted_and_does_no_harm(kind: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(line(f"/events?token=eyJhbGciOiJub25lIn0.{HOSTILE[kind]}.x"))
    found = counted(log)
    assert found.distinct == 1
    json.dumps(found.__dict__, allow_nan=False)
