"""A token, judged without ever being shown and without a key; `ssemedic.jwks` verifies one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_VISIBLE = re.compile(r"[\x21-\x7e]+\Z")
_VISIBLE_LINE = re.compile(r"[\x20-\x7e]+\Z")
_MAX_BYTES = 16 * 1024


class TokenError(ValueError):
    """The token file cannot be used; the message says what to do and holds no token."""


@dataclass(frozen=True)
class Token:
    """What a JWT says of itself; nothing here is verified. Times are epoch seconds."""

    length: int
    is_jwt: bool
    algorithm: str | None = None
    expires: float | None = None
    not_before: float | None = None
    issued: float | None = None
    issuer: str | None = None
    audience: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()  # the names alone

    def expired_for(self, now: float) -> float | None:
        """Seconds since it expired at ``now``; None if it has not."""
        return now - self.expires if self.expires is not None and now >= self.expires else None

    def early_for(self, now: float) -> float | None:
        """Seconds until ``now`` reaches nbf and iat; None if it has."""
        start = max(self.not_before or 0.0, self.issued or 0.0)
        return start - now if start > now else None


def read_token(path: Path) -> str:
    """The token in a file; raises `TokenError` in one clear sentence.

    A file that others can read is refused: a token there is no secret any more.
    """
    text = read_secret(path, "token file")
    if not _VISIBLE.match(text):
        raise TokenError(
            f"token file {path}: holds white space or control bytes, must be one token"
        )
    return text


def read_cookie(path: Path) -> str:
    """The value of a Cookie header in a file of the same kind; raises `TokenError`."""
    text = read_secret(path, "cookie file")
    if not _VISIBLE_LINE.match(text):
        raise TokenError(f"cookie file {path}: must hold one line, such as session=...; theme=dark")
    return text


def read_secret(path: Path, what: str) -> str:
    """The text of a file of mode 0600, without white space around it; raises `TokenError`."""
    kind = what.removesuffix(" file")
    try:
        status = path.stat()
        if status.st_size > _MAX_BYTES:
            raise TokenError(f"{what} {path}: {status.st_size} bytes, must be one {kind}")
        if status.st_mode & 0o077:
            raise TokenError(
                f"{what} {path}: mode is {status.st_mode & 0o777:04o}, must be 0600 "
                f"(chmod 600 {path})"
            )
        text = path.read_text("utf-8", errors="strict").strip()
    except UnicodeDecodeError as error:
        raise TokenError(f"{what} {path}: is not text, must hold one {kind}") from error
    except OSError as error:
        raise TokenError(f"{what} {path}: {error.strerror or error}") from error
    if not text:
        raise TokenError(f"{what} {path}: is empty, must hold one {kind}")
    return text


def judge(token: str) -> Token:
    """What the token says of itself (RFC 7519); an opaque token only has a length."""
    import jwt  # takes its time, and not every command judges a token

    try:
        header: Mapping[str, Any] = jwt.get_unverified_header(token)
        claims: Mapping[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return Token(length=len(token), is_jwt=False)
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else filter(None, [audience])
    return Token(
        length=len(token),
        is_jwt=True,
        algorithm=_text(header.get("alg")),
        expires=_time(claims.get("exp")),
        not_before=_time(claims.get("nbf")),
        issued=_time(claims.get("iat")),
        issuer=_text(claims.get("iss")),
        audience=tuple(map(str, audiences)),
        claims=tuple(sorted(map(str, claims))),
    )


def _time(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
