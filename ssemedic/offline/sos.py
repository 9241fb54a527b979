"""A sos archive (sosreport) as evidence: configuration, units, logs; no stream.

Each file of it that is read is named in `wanted`; what sos was not asked to collect is missing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from ssemedic.evidence import (
    SCHEMA,
    Evidence,
    Listener,
    Log,
    LogLine,
    Nginx,
    System,
    TextFile,
    Unit,
)
from ssemedic.nginx.dump import is_dump, read_dump
from ssemedic.nginx.errors import ConfigError
from ssemedic.offline.archive import Archive
from ssemedic.offline.found import Found, OfflineError, all_but

_MAIN = "etc/nginx/nginx.conf"
_LINES = 20_000
_WANTED = re.compile(
    r"etc/nginx/.*|etc/(?:os-release|hostname)|usr/lib/os-release"
    r"|etc/systemd/system/.*\.(?:service|conf)|(?:usr/)?lib/systemd/system/[^/]*\.service"
    r"|var/log/nginx/(?:error|access)\.log"
    r"|sos_commands/(?:nginx|systemd|logs|networking|kernel|host|date)/.*|date|hostname|uname"
)
#: As journalctl prints it for sos: "Nov 24 04:00:00 web1 notify[123]: text".
_JOURNAL = re.compile(
    r"(?P<time>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*)"
    r" (?P<host>\S+) (?P<who>[^\s\[:]+)(?:\[\d+\])?: (?P<text>.*)"
)
_ABOUT = re.compile(r"\b([\w@.\-]+\.service)\b")
_LISTENING = re.compile(
    r"(?:tcp\s+)?LISTEN\s+(?P<queue>\d+)\s+(?P<backlog>\d+)\s+(?P<address>\S+):(?P<port>\d+)\s"
    r"(?:.*users:\(\(\"(?P<process>[^\"]*)\",pid=(?P<pid>\d+))?"
)
_NGINX_TIME = re.compile(r"(\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d)")
_CODES = {"1": "exited", "2": "killed", "3": "dumped"}  # CLD_* of wait(2)
_YEAR = 366 * 86400.0


def wanted(name: str) -> bool:
    """True for the files of a sos archive that tell of an event stream."""
    return bool(_WANTED.fullmatch(name))


def is_sos(archive: Archive) -> bool:
    """True if it looks like one."""
    return bool(archive.under("sos_commands") or archive.under("etc"))


def read_sos(archive: Archive, name: str) -> Found:
    """What the archive holds. Raises `OfflineError` where nothing of it can be judged."""
    at = _taken(archive)
    host = _text(archive, "hostname", "etc/hostname", "sos_commands/host/hostname").strip()
    units = _units(archive)
    nginx, unread = _nginx(archive)
    logs = tuple(_logs(archive, at, [unit.name for unit in units]))
    listeners = tuple(_listeners(archive))
    seen = {
        "units": units or None,
        "nginx": nginx,
        "logs": logs or None,
        "listeners": listeners or None,
        "system": _system(archive, host),
    }
    held = [section for section, value in seen.items() if value is not None]
    if set(held) <= {"system"}:
        raise OfflineError(f"{name}: is no sos archive with nginx, units or logs in it")
    missing = all_but(held, "the sos archive does not hold it")
    if unread:
        missing["nginx"] = unread
    evidence = Evidence(SCHEMA, host or "the host", at, 0.0, missing=missing, **seen)  # type: ignore[arg-type]
    return Found("a sos archive", evidence, None)


def _text(archive: Archive, *names: str) -> str:
    """The first of these files that is there."""
    for name in names:
        content = archive.read(name)
        if content is not None:
            return content.decode("utf-8", "replace")
    return ""


def _taken(archive: Archive) -> float:
    """When it was taken (epoch seconds), as `date` said; UTC where its zone is not known."""
    said = _text(archive, "date", "sos_commands/date/date", "sos_commands/host/date").strip()
    found = re.search(r"([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d)(?: [AP]M)? \S+ (\d{4})", said)
    if not found:
        return 0.0
    month, day, clock, year = found.groups()
    return _moment(f"{year} {month} {day} {clock}", "%Y %b %d %H:%M:%S") or 0.0


def _moment(text: str, form: str) -> float | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _system(archive: Archive, host: str) -> System:
    release = _text(archive, "etc/os-release", "usr/lib/os-release")
    pretty = re.search(r'(?m)^PRETTY_NAME="?([^"\n]*)', release)
    kernel = _text(archive, "uname", "sos_commands/kernel/uname_-a").split()
    return System(
        hostname=host,
        release=pretty[1] if pretty else "",
        kernel=kernel[2] if len(kernel) > 2 else "",
        init="systemd",
        python="",
        privileged=True,
    )


def _nginx(archive: Archive) -> tuple[Nginx | None, str]:
    """nginx and its files; or why they cannot be read."""
    version = _text(archive, "sos_commands/nginx/nginx_-V", "sos_commands/nginx/nginx_-v")
    found = re.search(r"nginx/(\d+\.\d+\.\d+)", version)
    dumped = archive.read("sos_commands/nginx/nginx_-T") or b""
    files: Mapping[str, bytes] = {}
    links: Mapping[str, str] = {}
    main = "/etc/nginx/nginx.conf"
    if is_dump(dumped):
        try:
            dump = read_dump(dumped, "sos_commands/nginx/nginx_-T")
            files, main = dict(dump.files), dump.main
        except ConfigError:
            files = {}
    if not files and archive.read(_MAIN) is not None:
        files, links = _folder(archive)
    if not files:
        return None, "nginx: the sos archive holds no configuration of it"
    if not found:
        return None, "nginx: the sos archive does not say its version (sos_commands/nginx/nginx_-V)"
    return Nginx(
        version=found[1],
        build=version,
        unit="nginx.service",
        running=True,
        workers=(),
        main=main,
        files=tuple(_file(path, content, links.get(path)) for path, content in files.items()),
        test_ok=None,
        test_output="",
        error_logs=("/var/log/nginx/error.log",),
        access_logs=("/var/log/nginx/access.log",),
    ), ""


def _folder(archive: Archive) -> tuple[dict[str, bytes], dict[str, str]]:
    files, links = {}, {}
    for name in archive.under("etc/nginx"):
        content = archive.read(name)
        if content is None:
            continue
        files[f"/{name}"] = content
        if name in archive.links:
            links[f"/{name}"] = f"/{archive.links[name]}"
    return files, links


def _file(path: str, content: bytes, link: str | None = None) -> TextFile:
    digest = hashlib.sha256(content).hexdigest()
    return TextFile(path, content, digest, 0o644, "root", "root", link)


def _units(archive: Archive) -> tuple[Unit, ...]:
    told = _text(archive, *_named(archive, "sos_commands/systemd/systemctl_show_service"))
    blocks = (_properties(block) for block in re.split(r"\n{2,}", told))
    return tuple(_unit(archive, b) for b in blocks if b.get("Id", "").endswith(".service"))


def _named(archive: Archive, prefix: str) -> list[str]:
    folder = prefix.rpartition("/")[0]
    return [name for name in archive.under(folder) if name.startswith(prefix)]


def _properties(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines())
    return {key: value for key, equals, value in pairs if equals and re.fullmatch(r"[A-Z]\w*", key)}


def _unit(archive: Archive, said: Mapping[str, str]) -> Unit:
    code = said.get("ExecMainCode", "0")
    fragment = said.get("FragmentPath") or None
    drop_ins = tuple(said.get("DropInPaths", "").split())
    paths = [path for path in (fragment, *drop_ins) if path]
    contents = {path: archive.read(path.lstrip("/")) for path in paths}
    return Unit(
        name=said["Id"],
        load_state=said.get("LoadState", ""),
        active_state=said.get("ActiveState", ""),
        sub_state=said.get("SubState", ""),
        unit_file_state=said.get("UnitFileState", ""),
        result=said.get("Result", ""),
        main_pid=_number(said.get("MainPID")),
        restarts=_number(said.get("NRestarts")),
        exit_status=_number(said.get("ExecMainStatus")) if code in _CODES else None,
        exit_code=_CODES.get(code, ""),
        fragment=fragment,
        drop_ins=drop_ins,
        need_reload=said.get("NeedDaemonReload") == "yes",
        active_since=None,
        properties=dict(said),
        files=tuple(_file(p, content) for p, content in contents.items() if content is not None),
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() and len(text) < 19 else 0


def _logs(archive: Archive, now: float, units: list[str]) -> Iterator[Log]:
    for path in ("var/log/nginx/error.log", "var/log/nginx/access.log"):
        text = _text(archive, path)
        if text:
            lines = text.splitlines()[-_LINES:]
            yield Log(f"/{path}", tuple(LogLine(_logged(line), line) for line in lines))
    by_unit: dict[str, list[LogLine]] = {}
    journal = _text(
        archive,
        *_named(archive, "sos_commands/logs/journalctl_--no-pager"),
        *_named(archive, "sos_commands/logs/journalctl"),
    )
    for line in journal.splitlines()[-10 * _LINES :]:
        found = _JOURNAL.match(line)
        if not found:
            continue
        unit = _unit_of(found["who"], found["text"], units)
        if unit:
            by_unit.setdefault(unit, []).append(LogLine(_when(found["time"], now), found["text"]))
    for unit, entries in by_unit.items():
        yield Log(f"journal:{unit}", tuple(entries[-_LINES:]))


def _unit_of(who: str, text: str, units: list[str]) -> str | None:
    """systemd's own messages belong to the unit they name, others to the one of their name."""
    if who == "systemd":
        about = _ABOUT.search(text)
        return about[1] if about else None
    name = f"{who}.service"
    return name if not units or name in units else None


def _when(text: str, now: float) -> float | None:
    """A journal's time; it says no year: the latest that is not after the archive."""
    if text[0].isdigit():
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not now:
        return None
    year = datetime.fromtimestamp(now, UTC).year
    at = _moment(f"{year} {text}", "%Y %b %d %H:%M:%S")
    return at - _YEAR if at is not None and at > now + 86400 else at


def _logged(line: str) -> float | None:
    found = _NGINX_TIME.match(line)
    return _moment(" ".join(found.groups()), "%Y %m %d %H %M %S") if found else None


def _listeners(archive: Archive) -> Iterator[Listener]:
    for line in _text(archive, *_named(archive, "sos_commands/networking/ss_")).splitlines():
        found = _LISTENING.match(line)
        if not found:
            continue
        address = found["address"].strip("[]").partition("%")[0]
        yield Listener(
            family="inet6" if ":" in address else "inet",
            address=address,
            port=_number(found["port"]),
            pid=_number(found["pid"]) or None,
            process=found["process"],
            unit=None,
            queue=_number(found["queue"]),
            backlog=_number(found["backlog"]),
        )
