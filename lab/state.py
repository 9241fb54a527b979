"""What the lab remembers: one lock per lab, one record per running host."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lab.layout import STORE, Host, Lab

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Record:
    """A running host, as other commands and the inventory need to know it."""

    name: str
    address: str
    image: str
    fault: str = ""
    healthy_twin: bool = False
    endpoint: dict[str, str] = field(default_factory=dict)


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace the file; a reader sees the old text or the new one, never a part."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def save(host: Host, record: Record) -> None:
    write_atomically(host.record_file, json.dumps(asdict(record)) + "\n")


def load(host: Host) -> Record | None:
    """The host's record; None where it does not run."""
    try:
        return Record(**json.loads(host.record_file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def recorded_hosts(lab: Lab) -> list[Host]:
    """Hosts that came up and were not taken down, in order of their number."""
    found = [
        lab.host(file.parent.name) for file in (lab.run_dir / "hosts").glob("web*/record.json")
    ]
    return sorted(found, key=lambda host: host.number)


def write_hosts_file(lab: Lab) -> None:
    """List the hosts that have a place in the lab, one `ADDRESS NAME` per line."""
    hosts = [lab.host(file.name) for file in (lab.run_dir / "hosts").glob("web*")]
    lines = [f"{host.address} {host.name}\n" for host in sorted(hosts, key=lambda h: h.number)]
    write_atomically(lab.hosts_file, "".join(lines))
    local = "127.0.0.1 localhost\n::1 localhost\n"
    write_atomically(lab.names_file, local + "".join(lines))


@contextlib.contextmanager
def exclusive(lock_file: Path, waiting: str) -> Iterator[None]:
    """Hold the lock; the kernel frees it however this process ends.

    Prints `waiting` where another process holds it, and waits.
    """
    STORE.mkdir(parents=True, exist_ok=True)
    with lock_file.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(waiting, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def exclusive_now(lock_file: Path) -> Iterator[bool]:
    """Hold the lock and yield true, or yield false where another process holds it."""
    STORE.mkdir(parents=True, exist_ok=True)
    with lock_file.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
