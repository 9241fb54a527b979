"""Where the lab keeps its things, and what it calls them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from uuid import NAMESPACE_DNS, uuid5

from lab.errors import UsageError

PROJECT = Path(__file__).resolve().parent.parent
STORE = Path("/var/lib/ssemedic-lab")
IMAGES = STORE / "images"
SECRETS = STORE / "secrets"
SSH_KEY = SECRETS / "id_ed25519"
SIGNING_KEY = SECRETS / "hs256"
HOST_NAME = re.compile(r"web([1-9][0-9]?)")
MAX_HOSTS = 99

# TEST-NET-2 (RFC 5737) is routed nowhere: a second guard, should a packet ever get out.
NETWORK = "198.51.100"
PREFIX = 24
BRIDGE = "br0"


@dataclass(frozen=True)
class Host:
    """One host of one lab: names and places, whether it runs or not."""

    lab: Lab
    name: str

    @property
    def number(self) -> int:
        return int(self.name.removeprefix("web"))

    @property
    def address(self) -> str:
        return f"{NETWORK}.{100 + self.number}"

    @property
    def mac(self) -> str:
        return f"02:5e:00:00:00:{self.number:02x}"

    @property
    def machine_uuid(self) -> str:
        """The same after every `mend`, so that journal folders keep their name."""
        return str(uuid5(NAMESPACE_DNS, f"{self.name}.{self.lab.name}"))

    @property
    def netns(self) -> str:
        return f"{self.lab.name}-{self.name}"

    @property
    def cgroup(self) -> str:
        return f"{self.lab.name}/{self.name}"

    @property
    def run_dir(self) -> Path:
        return self.lab.run_dir / "hosts" / self.name

    @property
    def record_file(self) -> Path:
        return self.run_dir / "record.json"

    @property
    def token_file(self) -> Path:
        return self.run_dir / "token"

    @property
    def baseline_file(self) -> Path:
        return self.run_dir / "baseline.json"

    @property
    def console_file(self) -> Path:
        return self.run_dir / "console.log"

    @property
    def overlay_dir(self) -> Path:
        return self.lab.store_dir / "hosts" / self.name

    @property
    def upper_dir(self) -> Path:
        return self.overlay_dir / "upper"


@dataclass(frozen=True)
class Lab:
    """One set of hosts with its own network; images and keys are shared by all labs."""

    name: str = "ssemedic-lab"

    @property
    def run_dir(self) -> Path:
        return Path("/run") / self.name

    @property
    def store_dir(self) -> Path:
        return STORE if self.name == STORE.name else STORE / "labs" / self.name

    @property
    def netns(self) -> str:
        return self.name

    @property
    def hosts_file(self) -> Path:
        return self.run_dir / "hosts.txt"

    @property
    def names_file(self) -> Path:
        """The hosts file of commands that run inside the lab's network."""
        return self.run_dir / "etc_hosts"

    @property
    def known_hosts_file(self) -> Path:
        return self.run_dir / "known_hosts"

    @property
    def lock_file(self) -> Path:
        return STORE / f"{self.name}.lock"

    def host(self, name: str) -> Host:
        """Raise UsageError unless the name is web1 ... web99."""
        if not HOST_NAME.fullmatch(name):
            raise UsageError(f"host {name!r}: lab hosts are called web1 ... web{MAX_HOSTS}")
        return Host(self, name)


def current_lab() -> Lab:
    """The lab that SSEMEDIC_LAB names; `ssemedic-lab` where it is not set.

    A second lab has its own hosts, network and state and does not disturb the first.
    """
    suffix = os.environ.get("SSEMEDIC_LAB", "")
    if not suffix:
        return Lab()
    if not re.fullmatch(r"[a-z0-9]{1,12}", suffix):
        raise UsageError(f"SSEMEDIC_LAB: is {suffix!r}, must be 1 to 12 of a-z and 0-9")
    return Lab(f"ssemedic-lab-{suffix}")
