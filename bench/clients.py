"""aiohttp and httpx, in a venv of their own: nothing else of ours needs aiohttp."""

from __future__ import annotations

import sys

from lab.commands import must
from lab.layout import PROJECT

REQUIREMENTS = ("aiohttp>=3.9", "httpx>=0.28")
VENV = PROJECT / ".cache" / "clients"
PYTHON = VENV / "bin" / "python"
_DONE = VENV / "installed"


def ensure() -> None:
    """Install them where they are missing. Raises LabError."""
    if _DONE.exists():
        return
    print(f"bench: installing {', '.join(REQUIREMENTS)} into {VENV.relative_to(PROJECT)} (once)")
    must([sys.executable, "-m", "venv", "--clear", str(VENV)], seconds=120)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    must([*pip, "install", *REQUIREMENTS], seconds=300)
    _DONE.touch()


def versions() -> str:
    """As they say themselves."""
    script = (
        "import aiohttp, httpx; print(f'aiohttp {aiohttp.__version__}, httpx {httpx.__version__}')"
    )
    return must([str(PYTHON), "-c", script]).strip()
