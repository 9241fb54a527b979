"""The base image: a Debian of this machine's release with everything a host needs.

Built once, kept under a name that is the hash of its recipe.
"""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

from lab import cgroup
from lab.commands import must
from lab.errors import LabError, SetupError
from lab.layout import (
    IMAGES,
    MAX_HOSTS,
    NETWORK,
    PROJECT,
    SECRETS,
    SIGNING_KEY,
    SSH_KEY,
    STORE,
    Lab,
)
from lab.requirements import os_release
from lab.state import exclusive

BUILD_GROUP = "ssemedic-lab-build"
LOCK = STORE / "base.lock"
BUILD_SECONDS = 900.0
REQUIREMENTS = PROJECT / "roles" / "sse_service" / "files" / "requirements.txt"
CUSTOMIZE = PROJECT / "lab" / "customize.sh"
WHEELS = "opt/ssemedic-wheels"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "libpam-systemd", "libnss-systemd"),
    *("python3", "python3-venv", "python3-packaging", "python3-apt"),
    *("nginx-light", "openssh-server", "nats-server", "redis-server"),
    *("iproute2", "procps", "sudo", "curl", "ca-certificates", "faketime", "nftables"),
    # Off until a fault or a test turns them on: other brokers, other proxies, other frameworks.
    *("postgresql", "pgbouncer", "python3-redis", "python3-psycopg2"),
    *("apache2", "haproxy", "caddy"),
    *("gunicorn", "python3-gevent", "python3-flask", "python3-django", "uvicorn"),
    *("python3-waitress", "python3-eventlet", "puma"),
    *("nodejs", "node-express", "node-compression", "php-fpm"),
    "libnginx-mod-http-modsecurity",
)
# How apt gets to its mirror from here: proxies, certificates, date checks.
APT_OPTIONS = ("Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::Retries")


def say(text: str) -> None:
    print(f"lab: {text}", flush=True)


def apt_sources() -> list[str]:
    """The Debian sources this machine itself uses, as lines of sources.list.

    Raises SetupError where this is no Debian or apt knows no Debian package list.
    """
    release = os_release()
    if release.get("ID") != "debian":
        name = release.get("PRETTY_NAME", platform.system())
        raise SetupError(f"system: is {name}, must be Debian; a Debian 12 machine would do")
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    query = ["apt-get", "indextargets", "--format", form, "Created-By: Packages", "Origin: Debian"]
    if not (listed := must(query).splitlines()):
        must(["apt-get", "--quiet=2", "update"], seconds=300)
        listed = must(query).splitlines()
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    signed = f"[signed-by={keyring}] " if keyring.exists() else ""
    sources = sorted({f"deb {signed}{line}" for line in listed})
    if not any(f" {release['VERSION_CODENAME']} " in line for line in sources):
        raise SetupError(
            f"apt: lists no packages of Debian {release['VERSION_CODENAME']}; "
            "`apt-get update` with a Debian mirror in its sources would do"
        )
    return sources


def apt_options() -> list[str]:
    """This machine's way to its mirror, in the words of `apt-config dump`."""
    lines = must(["apt-config", "dump"]).splitlines()
    return [line for line in lines if line.startswith(APT_OPTIONS) and not line.endswith('"";')]


def service_requirements() -> list[str]:
    """What the reference service needs from PyPI, as its role says."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def ensure_secrets() -> None:
    """Make the lab's ssh key, its hosts' key and the token signing key where missing."""
    SECRETS.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in (SSH_KEY.name, "host_ed25519"):
        if not (SECRETS / name).exists():
            draft = SECRETS / f"{name}.draft"
            draft.unlink(missing_ok=True)
            comment = f"ssemedic-lab {name}"
            must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(draft)])
            # The private half last: it is what the next run looks for.
            (SECRETS / f"{name}.draft.pub").replace(SECRETS / f"{name}.pub")
            draft.replace(SECRETS / name)
    if not SIGNING_KEY.exists():
        draft = SIGNING_KEY.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32), encoding="ascii")
        draft.replace(SIGNING_KEY)


def known_hosts(lab: Lab) -> str:
    """known_hosts(5) for every host the lab can have: they share one key."""
    kind, key, *_ = (SECRETS / "host_ed25519.pub").read_text(encoding="ascii").split()
    names = ",".join(lab.host(f"web{number}").name for number in range(1, MAX_HOSTS + 1))
    return f"{names} {kind} {key}\n"


def _hosts_table() -> str:
    lab = Lab()
    hosts = [lab.host(f"web{number}") for number in range(1, MAX_HOSTS + 1)]
    return "\n".join(
        [
            "127.0.0.1 localhost",
            "::1 localhost ip6-localhost ip6-loopback",
            f"{NETWORK}.1 lab",
            *(f"{host.address} {host.name}" for host in hosts),
            "",
        ]
    )


def digest(parts: list[str | bytes]) -> str:
    """A short name for exactly these parts."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:16]


def base_name() -> str:
    """The name of the base image that this recipe gives."""
    ensure_secrets()
    return "base-" + digest(
        [
            *apt_sources(),
            *PACKAGES,
            *service_requirements(),
            _hosts_table(),
            CUSTOMIZE.read_bytes(),
            (SECRETS / f"{SSH_KEY.name}.pub").read_bytes(),
            (SECRETS / "host_ed25519.pub").read_bytes(),
        ]
    )


def build_step(group: str, what: str, command: list[str]) -> None:
    """Run one step of a build in the build's cgroup, so that nothing of it can be orphaned.

    Raises LabError with the end of the step's output.
    """
    say(what)
    began = time.monotonic()
    private = ["unshare", "--mount", "--propagation", "private", *command]
    done = subprocess.run(
        cgroup.entering(group, "guest", private),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=BUILD_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise LabError(
            f"{what}: exit code is {done.returncode}, must be 0:\n{done.stdout.strip()[-4000:]}"
        )
    say(f"{what}: {time.monotonic() - began:.0f} s")


def _download_wheels(root: Path) -> None:
    # The guest's Python and C library decide which wheels fit, not this machine's.
    python = next(root.glob("usr/bin/python3.*[0-9]")).name.removeprefix("python")
    machine = platform.machine()
    fitting = [f"manylinux_2_{minor}_{machine}" for minor in range(17, 37)]
    platforms = [*fitting, f"manylinux2014_{machine}"]
    build_step(
        BUILD_GROUP,
        "fetching the wheels of the reference service",
        [
            *[sys.executable, "-m", "pip", "download", "--quiet", "--no-input"],
            *["--dest", str(root / WHEELS), "--only-binary=:all:"],
            *["--implementation", "cp", "--python-version", python],
            *[f"--platform={name}" for name in platforms],
            *service_requirements(),
        ],
    )


def ensure_base() -> Path:
    """The folder of the base image's root, built first where it is missing.

    Raises SetupError or LabError.
    """
    root = IMAGES / base_name() / "root"
    if not root.is_dir():
        with exclusive(LOCK, "lab: the base image is being built elsewhere, waiting"):
            if not root.is_dir():
                _build(root.parent)
    os.utime(root.parent)
    return root


def sweep() -> None:
    """Remove what an interrupted build left; the caller holds the lock."""
    cgroup.destroy(BUILD_GROUP)
    for draft in IMAGES.glob(".base-*"):
        shutil.rmtree(draft)


def _build(image: Path) -> None:
    say("building the base image (once; half a minute)")
    sweep()
    cgroup.create(BUILD_GROUP)
    draft = IMAGES / f".{image.name}"
    root = draft / "root"
    root.mkdir(parents=True)
    codename = os_release()["VERSION_CODENAME"]
    try:
        sources = draft / "sources.list"
        sources.write_text("".join(f"{line}\n" for line in apt_sources()), encoding="utf-8")
        build_step(
            BUILD_GROUP,
            f"installing Debian {codename}",
            [
                *["mmdebstrap", "--mode=root", "--variant=minbase", "--quiet"],
                *[f"--aptopt={line}" for line in apt_options()],
                f"--include={','.join(PACKAGES)}",
                *[codename, str(root), str(sources)],
            ],
        )
        _download_wheels(root)
        build_step(
            BUILD_GROUP,
            "preparing users, keys and units",
            ["sh", str(CUSTOMIZE), str(root), str(SECRETS)],
        )
        (root / "etc/hosts").write_text(_hosts_table(), encoding="ascii")
        os.sync()
        draft.rename(image)
    finally:
        sweep()
