"""What the service is told by its environment. README.md has the table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from notify.environment import SettingsError, choice, names, number, switch, text, whole
from notify.tokens import TokenRules

if TYPE_CHECKING:
    from collections.abc import Mapping

# RFC 7518, 3.2: a key of the same size as the hash output or larger MUST be used.
SHORTEST_SECRET = 32


@dataclass(frozen=True)
class Settings:
    """Times are in seconds unless the name says otherwise."""

    host: str
    port: int
    nats_url: str
    subject: str
    tokens: TokenRules
    cors_origins: tuple[str, ...]
    cors_credentials: bool
    ping: float | None
    retry_ms: int
    queue_events: int
    send_timeout: float
    replay_events: int
    linger: float
    max_streams: int
    shutdown: int
    log_level: str


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from `NOTIFY_*` variables; key files are read here. Raises SettingsError."""
    origins = names(environ, "NOTIFY_CORS_ORIGINS", "")
    credentials = switch(environ, "NOTIFY_CORS_CREDENTIALS", "off")
    if credentials and "*" in origins:
        # Fetch standard, 3.2.5: browsers refuse the pair, and mirroring any origin opens the door.
        raise SettingsError(
            "NOTIFY_CORS_ORIGINS: observed * with NOTIFY_CORS_CREDENTIALS=on, must name the origins"
        )
    subject = text(environ, "NOTIFY_SUBJECT", "notify.workspace.{workspace}.>")
    if "{workspace}" not in subject.split("."):
        raise SettingsError(
            f"NOTIFY_SUBJECT: observed {subject!r}, must have {{workspace}} between two dots, "
            "or one workspace would hear another"
        )
    ping = number(environ, "NOTIFY_PING_SECONDS", 30, 0.05, 86400)
    return Settings(
        host=text(environ, "NOTIFY_HOST", "127.0.0.1"),
        port=whole(environ, "NOTIFY_PORT", 8000, 1, 65535),
        nats_url=text(environ, "NOTIFY_NATS_URL", "nats://127.0.0.1:4222"),
        subject=subject,
        tokens=read_token_rules(environ),
        cors_origins=origins,
        cors_credentials=credentials,
        ping=ping if switch(environ, "NOTIFY_PING", "on") else None,
        retry_ms=whole(environ, "NOTIFY_RETRY_MS", 3000, 0, 3_600_000),
        queue_events=whole(environ, "NOTIFY_QUEUE_EVENTS", 100, 1, 100_000),
        send_timeout=number(environ, "NOTIFY_SEND_TIMEOUT_SECONDS", 30, 0.1, 3600),
        replay_events=whole(environ, "NOTIFY_REPLAY_EVENTS", 200, 1, 100_000),
        linger=number(environ, "NOTIFY_LINGER_SECONDS", 300, 0, 86400),
        max_streams=whole(environ, "NOTIFY_MAX_STREAMS", 20_000, 1, 1_000_000),
        shutdown=whole(environ, "NOTIFY_SHUTDOWN_SECONDS", 5, 1, 600),
        log_level=choice(environ, "NOTIFY_LOG_LEVEL", "info", "debug", "warning", "error"),
    )


def read_token_rules(environ: Mapping[str, str]) -> TokenRules:
    """The keys and the required claims. Raises SettingsError."""
    readers = {
        "HS256": ("NOTIFY_TOKEN_KEY_FILE", read_secret),
        "EdDSA": ("NOTIFY_TOKEN_PUBLIC_KEY_FILE", read_public_key),
    }
    keys: dict[str, str] = {}
    for algorithm in names(environ, "NOTIFY_TOKEN_ALGORITHMS", "HS256"):
        if algorithm not in readers:
            raise SettingsError(
                f"NOTIFY_TOKEN_ALGORITHMS: observed {algorithm!r}, must be of {', '.join(readers)}"
            )
        variable, reader = readers[algorithm]
        keys[algorithm] = reader(variable, text(environ, variable, ""))
    if not keys:
        raise SettingsError("NOTIFY_TOKEN_ALGORITHMS: observed nothing, must name an algorithm")
    return TokenRules(
        keys=keys,
        issuer=text(environ, "NOTIFY_TOKEN_ISSUER", "notify"),
        audience=text(environ, "NOTIFY_TOKEN_AUDIENCE", "notify"),
        leeway=number(environ, "NOTIFY_TOKEN_LEEWAY_SECONDS", 30, 0, 3600),
        workspace_claim=text(environ, "NOTIFY_WORKSPACE_CLAIM", "workspace"),
    )


def read_secret(variable: str, path: str) -> str:
    """The shared HS256 secret, ends trimmed. Raises SettingsError; never shows the content."""
    secret = _read_file(variable, path)
    if len(secret.encode()) < SHORTEST_SECRET:
        raise SettingsError(
            f"{variable}: {path} holds {len(secret.encode())} bytes, "
            f"must be at least {SHORTEST_SECRET}"
        )
    return secret


def read_public_key(variable: str, path: str) -> str:
    """The Ed25519 public key in PEM. Raises SettingsError."""
    key = _read_file(variable, path)
    if "BEGIN PUBLIC KEY" not in key:
        raise SettingsError(f"{variable}: {path} is not a PEM public key, must be one")
    return key


def _read_file(variable: str, path: str) -> str:
    if not path:
        raise SettingsError(f"{variable}: observed nothing, must be the path of a key file")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{variable}: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{variable}: {path} is not UTF-8 text, must be") from None
