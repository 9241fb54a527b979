"""Bring hosts up, take them down, and clean up after whoever was killed doing so."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lab import base, cgroup, changes, host, network, service, state, tokens
from lab.errors import LabError
from lab.layout import HOST_NAME, STORE
from lab.requirements import check_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.host import Root
    from lab.layout import Host, Lab

BUSY = "lab: is busy elsewhere, waiting"
# As many as boot at once without waiting for each other on two processors.
PARALLEL = 10
URL = "http://{name}:8080/events"


def up(lab: Lab, names: Sequence[str], image: str = "service") -> list[Host]:
    """Make the named hosts run on the current image; those that do already are left alone.

    Raises SetupError or LabError.
    """
    check_ready()
    with state.exclusive(lab.lock_file, BUSY):
        wanted = [lab.host(name) for name in names]
        _sweep(lab)
        root = service.ensure_root(image)
        outdated = [one for one in wanted if not _runs_on(one, root)]
        _boot(lab, outdated, root)
        service.prune()
        # A host without a baseline never was ready: it was just booted, or whoever booted it died.
        booting = [one for one in wanted if not one.baseline_file.exists()]
        _each(booting, lambda one: host.wait_until_ready(one, root.ports))
        for one in booting:
            changes.remember(one)
        for one in wanted:
            record = state.load(one)
            if record is None or not record.fault:
                tokens.write_token(one.token_file)
    return wanted


def mend(hosts: Sequence[Host]) -> None:
    """Replace hosts of one lab by fresh ones from their image.

    Raises LabError where one of them does not run.
    """
    check_ready()
    images: dict[str, list[str]] = {}
    for one in hosts:
        record = state.load(one)
        if record is None:
            raise LabError(
                f"host {one.name}: does not run; `python -m lab up {one.name}` starts it"
            )
        images.setdefault("service" if "+" in record.image else "base", []).append(one.name)
    lab = hosts[0].lab
    with state.exclusive(lab.lock_file, BUSY):
        _each(hosts, host.remove)
    for image, names in images.items():
        up(lab, names, image)


def down(lab: Lab, names: Sequence[str]) -> None:
    """Remove the named hosts; without names everything but the cached images."""
    with state.exclusive(lab.lock_file, BUSY):
        if names:
            _each([lab.host(name) for name in names], host.remove)
            if lab.run_dir.exists():
                state.write_hosts_file(lab)
        else:
            _each(_traces(lab), host.remove)
        if not _traces(lab):
            _remove_lab(lab)
    # Left alone where somebody is building right now.
    for lock, sweep in ((base.LOCK, base.sweep), (service.LOCK, service.sweep)):
        with state.exclusive_now(lock) as free:
            if free:
                sweep()


def _boot(lab: Lab, hosts: Sequence[Host], root: Root) -> None:
    if not hosts:
        return
    lab.run_dir.mkdir(exist_ok=True)
    network.create_lab_network(lab)
    state.write_atomically(lab.known_hosts_file, base.known_hosts(lab))

    def boot(one: Host) -> None:
        if state.load(one):
            base.say(f"{one.name} runs on another image, replacing it")
        host.start(one, root)
        endpoint = {"url": URL.format(name=one.name), "token_file": str(one.token_file)}
        state.save(one, state.Record(one.name, one.address, root.name, endpoint=endpoint))

    _each(hosts, boot)
    state.write_hosts_file(lab)


def _runs_on(one: Host, root: Root) -> bool:
    record = state.load(one)
    return record is not None and record.image == root.name


def _sweep(lab: Lab) -> None:
    """Remove every host that was killed, or whose `up` was."""
    broken = [one for one in _traces(lab) if not (state.load(one) and host.supervised(one))]
    _each(broken, host.remove)


def _traces(lab: Lab) -> list[Host]:
    """Hosts of which anything is there: a process group, a folder, a namespace."""
    prefix = f"{lab.name}-"
    names = cgroup.children(lab.name)
    names |= {entry.name.removeprefix(prefix) for entry in network.namespaces(prefix)}
    for folder in (lab.run_dir / "hosts", lab.store_dir / "hosts"):
        if folder.is_dir():
            names |= {entry.name for entry in folder.iterdir()}
    return [lab.host(name) for name in sorted(names) if HOST_NAME.fullmatch(name)]


def _remove_lab(lab: Lab) -> None:
    network.remove_lab_network(lab)
    cgroup.destroy(lab.name)
    folders = [lab.run_dir, lab.store_dir / "hosts"]
    if lab.store_dir != STORE:
        folders.append(lab.store_dir)
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)


def _each(hosts: Sequence[Host], work: Callable[[Host], None]) -> None:
    """Do the work for all hosts at once; raise the first error after all have ended."""
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        for job in [pool.submit(work, one) for one in hosts]:
            job.result()
