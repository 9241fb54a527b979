"""A lab host on which the transaction's code is called as the module calls it, as root."""

from __future__ import annotations

import json
import shlex
import subprocess
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from lab import ssh
from lab.layout import current_lab

PROJECT = Path(__file__).resolve().parents[2]
NAME = "web9"  # not one of those that people and other tests use

# Runs on the host. WHAT is activate, commit, revert, recover or status; dies at STEP if given.
PRELUDE = """
import json, os, signal, sys
sys.path.insert(0, "/root/tx")
from sse_change import change, errors, transaction, units
given = json.loads(sys.stdin.read())
units.READY_SECONDS = given.get("ready_seconds", units.READY_SECONDS)
seen = []
def step(name):
    seen.append(name)
    if name == given.get("die_at"):
        os.kill(os.getpid(), signal.SIGKILL)
def perform():
    host, what = transaction.Host(), given["what"]
    if what == "activate":
        return transaction.activate(host, change.planned(given["changes"]),
            change.activation(given["activation"]), given.get("window", 600), given.get("id"),
            given.get("check", False), step)
    if what == "recover":
        return {"receipts": transaction.recover(host, step)}
    if what == "status":
        return transaction.status(host)
    if what == "commit":
        return transaction.commit(host, given["id"])
    return transaction.revert(host, given["id"], step=step)
try:
    answer = perform()
except errors.ChangeError as error:
    answer = dict(error.facts, failed=True, msg=error.sentence, undone=error.undone)
print(json.dumps(dict(answer, steps=seen)))
"""

# All of /etc and the unit states: what must be the same again after an undo.
LOOK = r"""
import json, os, stat, subprocess
found = {}
for top, folders, names in os.walk("/etc"):
    for name in folders + names:
        path = os.path.join(top, name)
        info = os.lstat(path)
        text, times = "", 0
        if stat.S_ISLNK(info.st_mode):
            text = os.readlink(path)
        elif stat.S_ISREG(info.st_mode):
            text, times = open(path, "rb").read().decode("latin-1"), info.st_mtime_ns
        found[path] = [oct(info.st_mode), info.st_uid, info.st_gid, times, text]
shown = subprocess.run(["systemctl", "show", "notify", "nginx", "idle", "--property="
    "Id,ActiveState,UnitFileState,LimitNOFILE,NeedDaemonReload"], stdout=subprocess.PIPE)
found["units"] = shown.stdout.decode()
found["logs"] = sorted(os.listdir("/var/log/nginx"))
listed = subprocess.run(["systemctl", "list-units", "--all", "--plain", "--no-legend",
    "ssemedic-*"], stdout=subprocess.PIPE)
found["timers"] = listed.stdout.decode()
pid = subprocess.run(["systemctl", "show", "notify", "--property=MainPID", "--value"],
    stdout=subprocess.PIPE).stdout.decode().strip()
limits = open("/proc/" + pid + "/limits").read() if pid != "0" else ""
found["limits"] = [line.split()[3:5] for line in limits.splitlines() if "open files" in line]
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Host:
    """Commands as root on the lab host ``name``."""

    name: str

    def run(self, command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a shell command; its exit code is the caller's to judge."""
        lab = current_lab()
        # One connection for all commands: each would take longer to log in than to run.
        shared = ["-o", "ControlMaster=auto", "-o", "ControlPersist=20s"]
        path = f"ControlPath={lab.host(self.name).run_dir}/ssh-tests"
        login = ["ssh", "-F", "/dev/null", *ssh.options(lab), *shared, "-o", path, "-l", ssh.USER]
        return subprocess.run(
            [*login, self.name, "sudo sh -c " + shlex.quote(command)],
            input=stdin,
            capture_output=True,
            timeout=120,
        )

    def must(self, command: str, stdin: bytes = b"") -> str:
        done = self.run(command, stdin)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def install(self) -> None:
        """Put the transaction's code on the host, beside a unit that is off."""
        packed = BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(PROJECT / "plugins/module_utils/sse_change", "sse_change")
        self.must("mkdir -p /root/tx && tar -xf - -C /root/tx --no-same-owner", packed.getvalue())
        self.must("cat > /root/tx/perform.py", PRELUDE.encode())
        self.must("cat > /root/tx/look.py", LOOK.encode())
        idle = "[Service]\nExecStart=/bin/sleep inf\n[Install]\nWantedBy=multi-user.target\n"
        self.must("cat > /etc/systemd/system/idle.service", idle.encode())
        self.must("systemctl daemon-reload")

    def perform(self, what: str, **given: Any) -> dict[str, Any]:
        """Call the transaction; empty if it was killed."""
        question = json.dumps({"what": what, **given}).encode()
        done = self.run("exec python3 /root/tx/perform.py", question)
        assert done.stdout or given.get("die_at"), done.stderr.decode()
        answer: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
        return answer

    def look(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.must("exec python3 /root/tx/look.py"))
        return found

    def answers(self) -> bool:
        """nginx and the service behind it answer a new request."""
        return self.run("curl -sf -m 5 http://127.0.0.1:8080/health").returncode == 0
