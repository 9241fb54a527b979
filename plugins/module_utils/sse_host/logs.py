"""The newest lines of the journal, of the kernel and of log files."""

from __future__ import annotations

import errno
import json
import os
import re
import time
from typing import Any, Iterable, Sequence

from . import files, lines
from .command import run
from .limits import Limits, UnavailableError

_FIELDS = "MESSAGE,UNIT,OBJECT_SYSTEMD_UNIT,COREDUMP_UNIT,_SYSTEMD_UNIT"
_KERNEL = re.compile(
    r"(?i)out of memory|oom|killed process|segfault|traps:|syn flooding|conntrack: table full|"
    r"no space left|i/o error|file-max limit|hung_task|blocked for more than|apparmor=.?.?denied|"
    r"avc: +denied|too many open files"
)


def journal(
    units: Sequence[str], limits: Limits, secrets: Sequence[str]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """One `Log` per unit, and for each source that cannot be read the reason."""
    if not units:
        return [], {}
    wanted = limits.lines * min(len(units), 4)
    try:
        entries, cut, refusal = _journal(units, wanted, limits)
    except UnavailableError as error:
        return [], {"journal": "the journal was not read: %s" % error}
    by_unit: dict[str, list[tuple[float | None, str]]] = {unit: [] for unit in units}
    more = dict.fromkeys(units, cut)  # whether the journal has older lines of this unit
    _distribute(entries, by_unit)
    if cut:
        # A noisy unit filled the answer: the quiet ones are asked for alone.
        for unit in [unit for unit, found in by_unit.items() if len(found) < limits.old_lines]:
            entries, more[unit], _ = _journal([unit], limits.lines, limits)
            by_unit[unit] = []
            _distribute(entries, by_unit)
    logs = []
    for unit, found in by_unit.items():
        kept, left_out = lines.newest(found, limits)
        if kept:
            truncated = left_out or more[unit]
            logs.append(lines.log("journal:" + unit, kept, truncated, limits, secrets))
    return logs, {"journal": refusal} if refusal else {}


def _journal(
    units: Sequence[str], count: int, limits: Limits
) -> tuple[list[dict[str, Any]], bool, str]:
    argv = ["journalctl", "--no-pager", "--quiet", "--reverse", "--output=json"]
    argv += ["--output-fields=" + _FIELDS, "--lines=%d" % count]
    argv += [part for unit in units for part in ("--unit", unit)]
    output = run(argv, limits.command_seconds, limits.bytes * 4)
    entries = parse_journal(output.stdout)
    if not entries and output.status and output.stderr.strip():
        raise UnavailableError("journalctl: " + output.complaint)
    refusal = ""
    if os.geteuid() and not entries:
        refusal = "the journal of system units can be read by root and group systemd-journal only"
    return entries, output.cut or len(entries) >= count, refusal


def parse_journal(content: bytes) -> list[dict[str, Any]]:
    """One JSON object per line; a last line that was cut off is dropped."""
    entries = []
    for line in content.split(b"\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries


def _distribute(
    entries: Iterable[dict[str, Any]], by_unit: dict[str, list[tuple[float | None, str]]]
) -> None:
    """Newest first in, oldest first out; systemd's own messages belong to the unit they name."""
    for entry in entries:
        names = (entry.get(field) for field in _FIELDS.split(",")[1:])
        unit = next((name for name in names if isinstance(name, str) and name in by_unit), None)
        if unit is None:
            continue
        at = journal_time(entry)
        for text in reversed(message(entry.get("MESSAGE")).split("\n")):
            by_unit[unit].insert(0, (at, text))


def journal_time(entry: dict[str, Any]) -> float | None:
    """Epoch seconds of a journal entry."""
    stamp = entry.get("__REALTIME_TIMESTAMP")
    return int(stamp) / 1e6 if isinstance(stamp, str) and stamp.isdigit() else None


def message(value: Any) -> str:
    """A journal MESSAGE: text, a list of bytes where it is not UTF-8, null where it is too long."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        if value and all(isinstance(item, int) and 0 <= item < 256 for item in value):
            return bytes(value).decode("utf-8", "replace")
        return "\n".join(message(item) for item in value)
    return "(a message longer than the journal prints)"


def kernel(limits: Limits, secrets: Sequence[str]) -> dict[str, Any]:
    """What the kernel said about memory, limits and refusals; raises `UnavailableError`."""
    try:
        records = _kmsg()
    except FileNotFoundError:
        records = parse_dmesg(run(["dmesg", "--raw"], limits.command_seconds, limits.bytes).stdout)
    except OSError as error:
        needs = "reading them needs root" if error.errno == errno.EPERM else str(error.strerror)
        raise UnavailableError("the kernel's messages: %s" % needs) from error
    start = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    found = [(round(start + at, 3), text) for at, text in records if _KERNEL.search(text)]
    kept, left_out = lines.newest(found, limits)
    return lines.log("kernel", kept, left_out, limits, secrets)


def _kmsg() -> list[tuple[float, str]]:
    """Every record of /dev/kmsg; one read gives one record (kernel's dev-kmsg)."""
    descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    records = []
    try:
        for _ in range(50000):
            try:
                record = parse_kmsg(os.read(descriptor, 8192))
            except BlockingIOError:
                break
            except BrokenPipeError:  # the ring was overwritten meanwhile; the next read goes on
                continue
            if record:
                records.append(record)
    finally:
        os.close(descriptor)
    return records


def parse_kmsg(record: bytes) -> tuple[float, str] | None:
    """``6,339,5140900,-;text`` -> (seconds since boot, text)."""
    head, semicolon, text = record.decode("utf-8", "replace").partition(";")
    fields = head.split(",")
    if not semicolon or len(fields) < 3 or not fields[2].isdigit():
        return None
    return int(fields[2]) / 1e6, text.split("\n", 1)[0]


def parse_dmesg(content: bytes) -> list[tuple[float, str]]:
    """``<6>[    5.140900] text`` lines of dmesg --raw."""
    found = re.findall(r"(?m)^<\d+>\[ *(\d+\.\d+)\] (.*)$", content.decode("utf-8", "replace"))
    return [(float(at), text) for at, text in found]


def file(
    path: str, limits: Limits, secrets: Sequence[str], word: str | None = None
) -> dict[str, Any]:
    """The newest lines of a log file; raises `UnavailableError`.

    With ``word`` only the lines that hold it: on a busy host the endpoint's requests
    would be lost among all others.
    """
    content, size = files.read_end(path, limits.bytes)
    if size < limits.bytes // 4 and _rotated_lately(path, limits.since):
        older, older_size = files.read_end(path + ".1", limits.bytes)
        content, size = older + content, size + older_size
    found = lines.of_bytes(content, whole=size <= len(content))
    if size > limits.bytes and not found:
        raise UnavailableError("%s: its last %d bytes hold no line end" % (path, limits.bytes))
    if word is not None:
        found = lines.keeping(lambda line: word in line, found)
    kept, left_out = lines.newest(lines.stamped(found, time.time()), limits)
    return lines.log(path, kept, left_out or size > len(content), limits, secrets)


def _rotated_lately(path: str, since: float) -> bool:
    try:
        return os.stat(path + ".1").st_mtime >= since
    except OSError:
        return False
