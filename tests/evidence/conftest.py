"""Import the host's code as Ansible does: as ``ansible.module_utils.sse_host``."""

from __future__ import annotations

from pathlib import Path

import ansible.module_utils
import pytest

ROOT = Path(__file__).resolve().parents[2]
ansible.module_utils.__path__.append(str(ROOT / "plugins" / "module_utils"))

from ansible.module_utils.sse_host.limits import Limits  # noqa: E402


@pytest.fixture
def limits() -> Limits:
    """Everything is fresh enough."""
    return Limits(since=0.0)
