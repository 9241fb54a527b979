"""What brokers write to files of their own: the lines that matter, and pgbouncer's settings."""

from __future__ import annotations

import configparser
import glob
import re
from typing import Any, Dict, List, Mapping, Sequence

from . import files
from .limits import Limits, UnavailableError
from .masking import mask

#: Where each kind logs on Debian and Red Hat, if not to the journal.
_LOGS = {
    "redis": ("/var/log/redis/*.log", "/var/log/valkey/*.log"),
    "nats": ("/var/log/nats/*.log", "/var/log/nats-server.log", "/var/log/nats*.log"),
    "postgresql": ("/var/log/postgresql/*.log", "/var/lib/pgsql/data/log/*.log"),
}
_MATTERS = re.compile(
    r"(?i)output buffer limits|max number of clients|maxclients|slow consumer|violation"
    r"|payload string too long|too many notifications|NOTIFY queue|remaining connection slots"
    r"|too many clients"
)
_LINES = 20
PGBOUNCER = "/etc/pgbouncer/pgbouncer.ini"


def lines(kind: str, limits: Limits, secrets: Sequence[str]) -> List[str]:
    """The newest lines of a broker's own log files that tell of a limit or a refusal."""
    found: List[str] = []
    paths = [path for pattern in _LOGS.get(kind, ()) for path in sorted(glob.glob(pattern))]
    for path in dict.fromkeys(paths):
        try:
            content, _size = files.read_end(path, min(limits.bytes, 256 * 1024))
        except (OSError, UnavailableError):
            continue
        text = content.decode("utf-8", "replace")
        found += [mask(line, secrets)[:400] for line in text.splitlines() if _MATTERS.search(line)]
    return found[-_LINES:]


def pgbouncer(listening: Sequence[Mapping[str, Any]], path: str = PGBOUNCER) -> Dict[str, Any]:
    """Port, pool mode and modes of single databases; {} where pgbouncer does not listen here."""
    ports = [item["port"] for item in listening if item["process"] == "pgbouncer" and item["port"]]
    if not ports:
        return {}
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            parser.read_string(file.read(256 * 1024))
    except (OSError, configparser.Error) as error:
        raise UnavailableError("%s: %s" % (path, str(error)[:200])) from error
    # pgbouncer.ini(5): pool_mode is session where nothing is said.
    modes = {"": parser.get("pgbouncer", "pool_mode", fallback="session")}
    if parser.has_section("databases"):
        for name, said in parser.items("databases"):
            own = re.search(r"\bpool_mode\s*=\s*(\w+)", said)
            if own:
                modes[name] = own.group(1)
    return {"pgbouncer_port": ports[0], "pool_modes": modes}
