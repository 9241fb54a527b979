"""Make one change of a file tree in a process of its own, and meet a fault at a named step.

    driver.py ROOT WHAT [STEP [FAULT]]

WHAT: activate, commit, revert, rollback (a revert of what is confirmed), recover, timer, boot.
FAULT: kill (what a power cut leaves), eio, efbig, or clock=SECONDS from the beginning on.
Prints each step it passes.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins" / "module_utils"))

from sse_change import undo
from sse_change.change import activation, planned
from sse_change.errors import ChangeError
from sse_change.transaction import Host, activate, commit, recover, revert
from transaction_wire import FAULTS

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


def main(root: str, what: str, victim: str = "", fault: str = "kill", name: str = ID) -> int:
    if fault.startswith("clock="):
        real, shift = time.time, float(fault[6:])
        time.time = lambda: real() + shift
    met = False

    def step(passed: str) -> None:
        nonlocal met
        print(passed, flush=True)
        if passed == victim and not met:
            met = True
            FAULTS[fault]()

    host = Host(root)
    try:
        if what == "activate":
            listed = planned(changes(Path(root)), root)
            activate(host, listed, activation(None), 600, name, step=step)
        elif what == "recover":
            recover(host, step)
        elif what == "commit":
            commit(host, name, step)
        elif what in ("timer", "boot"):
            words = ["--boot"] if what == "boot" else []
            return undo.main(str(Path(host.state, name)), words, step)
        else:
            revert(host, name, step=step)
    except ChangeError as error:
        print(f"undone={error.undone} {error.sentence}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
