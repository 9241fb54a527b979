"""The second layer: the reference notify service, installed by its own role."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from lab import base, cgroup, host, network
from lab.errors import LabError
from lab.host import Root
from lab.layout import IMAGES, PROJECT, SIGNING_KEY, STORE, Host, Lab
from lab.state import (
    Record,
    exclusive,
    load,
    recorded_hosts,
    save,
    write_atomically,
    write_hosts_file,
)

BUILDER = Lab("ssemedic-lab-image")
BUILD_GROUP = "ssemedic-lab-build-service"
LOCK = STORE / "service.lock"
UNUSED_SECONDS = 3600.0
PLAYBOOK = PROJECT / "lab" / "service.yml"
ROLE = PROJECT / "roles" / "sse_service"
TEMPLATES = PROJECT / "templates"
# What a host writes while it runs: the next one must not find it.
TRACES = (
    *("etc/machine-id", "etc/hostname", "etc/.pwd.lock", "var/lib/systemd", "var/tmp", "var/cache"),
    *(
        "var/log/journal",
        "root/.ansible",
        "root/.cache",
        "home/medic/.ansible",
        "home/medic/.cache",
    ),
)


def _ingredients() -> list[Path]:
    """The files that decide what the role leaves on a host."""
    role = [file for file in ROLE.rglob("*") if not {"__pycache__", "molecule"} & {*file.parts}]
    site = (PROJECT / "lab" / "site").iterdir()
    # The folder of templates is shared by all roles; this role's files carry its name.
    templates = TEMPLATES.glob("*/notify*")
    return sorted(file for file in [*role, *site, *templates, PLAYBOOK] if file.is_file())


def service_name(base_name: str) -> str:
    """The name of the service layer that these ingredients give."""
    parts: list[str | bytes] = [base_name, SIGNING_KEY.read_bytes()]
    for file in _ingredients():
        parts += [str(file.relative_to(PROJECT)), file.read_bytes()]
    return "service-" + base.digest(parts)


def ensure_root(image: str) -> Root:
    """The layers of `base` or `service`, built where missing. Raises SetupError or LabError."""
    base_root = base.ensure_base()
    base_name = base_root.parent.name
    plain = Root(base_name, (base_root,), (22, 80))
    if image == "base":
        return plain
    name = service_name(base_name)
    layer = IMAGES / name / "root"
    if not layer.is_dir():
        with exclusive(LOCK, "lab: the service layer is being built elsewhere, waiting"):
            if not layer.is_dir():
                _build(plain, layer.parent)
    os.utime(layer.parent)
    return Root(f"{name}+{base_name}", (layer, base_root), (22, 80, 8000, 8080))


def _ansible_playbook() -> str:
    beside = Path(sys.executable).with_name("ansible-playbook")
    found = str(beside) if beside.exists() else shutil.which("ansible-playbook")
    if found is None:
        raise LabError(
            "ansible-playbook: is not installed; `make` or `pip install -e .` in a venv would do"
        )
    return found


def _build(plain: Root, image: Path) -> None:
    base.say("building the service layer (once per change of the role)")
    sweep()
    cgroup.create(BUILD_GROUP)
    builder = BUILDER.host("web1")
    network.create_lab_network(BUILDER)
    try:
        host.start(builder, plain)
        write_hosts_file(BUILDER)
        write_atomically(BUILDER.known_hosts_file, base.known_hosts(BUILDER))
        host.wait_until_ready(builder, plain.ports)
        save(builder, Record(builder.name, builder.address, plain.name))
        base.build_step(
            BUILD_GROUP,
            "deploying the notify service with its role",
            [
                *["env", f"--chdir={PROJECT}", "SSEMEDIC_LAB=image", "ANSIBLE_NOCOLOR=1"],
                *[_ansible_playbook(), "--inventory", "inventory/lab.py", str(PLAYBOOK)],
                *["--extra-vars", f"lab_signing_key_file={SIGNING_KEY}"],
                *["--extra-vars", f"lab_wheels=/{base.WHEELS}"],
            ],
        )
        host.power_off(builder)
        _keep(builder.upper_dir, image)
    except LabError as error:
        # The builder is about to go, and its journal with it.
        raise LabError(f"{error}\n{_last_words(builder)}") from None
    finally:
        sweep()


def _last_words(builder: Host) -> str:
    if host.leader(builder) is None:
        return host.console_tail(builder)
    journal = ["journalctl", "--no-pager", "--lines=15", "--output=cat", "--unit=notify"]
    return "journal of notify.service:\n" + host.visit(builder, journal).stdout


def _keep(upper: Path, image: Path) -> None:
    for trace in TRACES:
        path = upper / trace
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for log in [path for path in (upper / "var/log").rglob("*") if path.is_file()]:
        log.unlink()
    draft = image.with_name(f".{image.name}")
    draft.mkdir()
    upper.rename(draft / "root")
    os.sync()
    draft.rename(image)


def sweep() -> None:
    """Remove what an interrupted build left; the caller holds the lock."""
    cgroup.destroy(BUILD_GROUP)
    host.remove(BUILDER.host("web1"))
    network.remove_lab_network(BUILDER)
    cgroup.destroy(BUILDER.name)
    for folder in (BUILDER.run_dir, BUILDER.store_dir, *IMAGES.glob(".service-*")):
        if folder.exists():
            shutil.rmtree(folder)


def prune() -> None:
    """Remove images that no host of any lab runs on and that nobody asked for lately."""
    used: set[str] = set()
    for run_dir in Path("/run").glob("ssemedic-lab*"):
        for running in recorded_hosts(Lab(run_dir.name)):
            if record := load(running):
                used.update(record.image.split("+"))
    for image in IMAGES.glob("[!.]*"):
        # A host that is being started has no record yet; its image was asked for just now.
        if image.name not in used and time.time() - image.stat().st_mtime > UNUSED_SECONDS:
            base.say(f"removing the outdated image {image.name}")
            shutil.rmtree(image)
