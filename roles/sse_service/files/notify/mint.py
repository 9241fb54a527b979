"""`python -m notify.mint`: a token for trying the service, where there is no issuer.

Reads the settings and the HS256 secret as the service does, so it works for root alone, and
writes the token to a file that only its owner can read.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

import jwt

from notify.environment import SettingsError
from notify.keyfile import create_private
from notify.settings import read_token_rules
from notify.tokens import NAME, TokenRules


def main() -> int:
    """Exit status 0, or 1 with one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="notify.mint", description="Write a test token.")
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--subject", default="tester", help="the claim sub")
    parser.add_argument("--ttl", type=int, default=3600, help="seconds the token is good for")
    parser.add_argument("--out", type=Path, required=True, help="file to write, mode 0600")
    parser.add_argument("--env-file", type=Path, default=Path("/etc/notify/notify.env"))
    arguments = parser.parse_args()
    try:
        if not NAME.fullmatch(arguments.workspace):
            raise SettingsError(
                f"--workspace: observed {arguments.workspace!r}, "
                "must be 1 to 64 letters, digits, _ or -"
            )
        rules = read_token_rules(read_env_file(arguments.env_file))
        token = mint(rules, arguments.workspace, arguments.subject, arguments.ttl)
        arguments.out.unlink(missing_ok=True)
        create_private(arguments.out, token + "\n")
    except SettingsError as error:
        print(f"notify.mint: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"notify.mint: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def mint(rules: TokenRules, workspace: str, subject: str, ttl: int) -> str:
    """A token that `rules` accept for `ttl` seconds. Raises SettingsError without HS256."""
    if "HS256" not in rules.keys:
        raise SettingsError(
            "NOTIFY_TOKEN_ALGORITHMS: HS256 is not accepted; "
            "ask the issuer that holds the EdDSA private key"
        )
    now = int(time.time())
    claims = {
        "iss": rules.issuer,
        "aud": rules.audience,
        "sub": subject,
        rules.workspace_claim: workspace,
        "iat": now,
        "nbf": now,
        "exp": now + ttl,
    }
    return jwt.encode(claims, rules.keys["HS256"], algorithm="HS256")


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of a systemd EnvironmentFile, as far as the role writes such files.

    See systemd.exec(5), EnvironmentFile=. Raises SettingsError, OSError.
    """
    variables: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(("#", ";")):
            continue
        name, mark, value = line.partition("=")
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise SettingsError(f"{path}:{number}: {error}") from None
        if not mark:
            raise SettingsError(f"{path}:{number}: must be NAME=value")
        variables[name.strip()] = " ".join(words)
    return variables


if __name__ == "__main__":
    sys.exit(main())
