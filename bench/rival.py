"""pyinfra, in a venv of its own.

Beside Ansible it would slow Ansible down: ansible-core imports paramiko wherever it finds it,
and pyinfra brings it.
"""

from __future__ import annotations

import sys

from lab.commands import must
from lab.layout import PROJECT

REQUIREMENT = "pyinfra>=3.2"
VENV = PROJECT / ".cache" / "pyinfra"
PYINFRA = VENV / "bin" / "pyinfra"


def ensure() -> None:
    """Install pyinfra where it is missing. Raises LabError."""
    if PYINFRA.exists():
        return
    print(f"bench: installing {REQUIREMENT} into {VENV.relative_to(PROJECT)} (once)", flush=True)
    must([sys.executable, "-m", "venv", "--clear", str(VENV)], seconds=120)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    must([*pip, "install", REQUIREMENT], seconds=300)


def version() -> str:
    """As it says itself."""
    return must([str(PYINFRA), "--version"]).split()[-1].removeprefix("v")
