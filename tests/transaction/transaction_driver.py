"""Make one change of a file tree in a process of its own, and die at a named step.

    driver.py ROOT WHAT [STEP]      WHAT: activate, commit ID, revert ID, recover

Prints each step it passes. Killed at STEP, it leaves what a power cut would leave.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins" / "module_utils"))

from sse_change.change import activation, planned
from sse_change.transaction import Host, activate, recover, revert

ID = "test-1"
OURS = "/etc/nginx/ssemedic/site.conf"


def changes(root: Path) -> list[dict[str, Any]]:
    """Each kind of change once: an edit through a link, a new folder, a link, a removal."""
    site = (root / "etc/nginx/sites-available/site").read_bytes()
    return [
        {"path": OURS, "content": "proxy_buffering off;\n", "expected_sha256": ""},
        {
            "path": "/etc/nginx/sites-enabled/site",
            "content": "server {\n\tlisten 8080;\n\tinclude /etc/nginx/ssemedic/site.conf;\n}\n",
            "expected_sha256": hashlib.sha256(site).hexdigest(),
        },
        {"path": "/etc/nginx/sites-enabled/old", "kind": "link", "target": "../sites-available/x"},
        {"path": "/etc/nginx/legacy.conf", "kind": "absent"},
        {"path": "/etc/nginx/a/b/c.conf", "content": "", "mode": "0600"},
    ]


def main(root: str, what: str, victim: str = "") -> None:
    def step(name: str) -> None:
        print(name, flush=True)
        if name == victim:
            os.kill(os.getpid(), signal.SIGKILL)

    host = Host(root)
    if what == "activate":
        listed = planned(changes(Path(root)), root)
        activate(host, listed, activation(None), 600, ID, step=step)
    elif what == "recover":
        recover(host, step)
    else:
        revert(host, ID, step=step)


if __name__ == "__main__":
    main(*sys.argv[1:])
