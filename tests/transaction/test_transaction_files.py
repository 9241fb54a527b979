"""The transaction on a file tree: what it refuses, what it keeps, how it goes back."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sse_change import exchange, files, journal
from sse_change.change import activation, planned
from sse_change.errors import ChangeError
from sse_change.transaction import Host, activate, commit, revert, status
from sse_change.utf8 import sendable
from transaction_driver import OURS, changes
from transaction_tree import SITE, snapshot, watchdogs

NOTHING_TO_START = activation(None)
SITE_PATH = "etc/nginx/sites-available/site"


def change(root: Path, listed: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    options.setdefault("window", 600)
    return activate(Host(str(root)), planned(listed, str(root)), NOTHING_TO_START, **options)


def refused(root: Path, listed: list[dict[str, Any]]) -> ChangeError:
    """The change must be refused and leave everything as it was, temporary files included."""
    before = snapshot(root)
    with pytest.raises(ChangeError) as caught:
        change(root, listed)
    assert snapshot(root) == before
    assert watchdogs(root) == []
    return caught.value


def test_a_file_that_changed_since_the_plan_is_refused_with_both_hashes(root: Path) -> None:
    listed = changes(root)
    (root / SITE_PATH).write_bytes(b"another admin was here\n")
    error = refused(root, listed)
    assert error.undone is True
    [drift] = error.facts["drift"]
    assert drift["path"] == "/etc/nginx/sites-enabled/site"
    assert drift["expected"] == listed[1]["expected_sha256"]
    assert drift["found"] == files.digest(b"another admin was here\n")
    assert drift["now"] == "another admin was here\n"
    assert drift["wanted"] == listed[1]["content"]


def test_a_file_where_none_may_be_is_refused(root: Path) -> None:
    listed = changes(root)
    (root / "etc/nginx/ssemedic").mkdir()
    (root / OURS.lstrip("/")).write_text("mine\n")
    assert "must be that of no file" in refused(root, listed).sentence


def test_a_change_follows_the_link_and_keeps_mode_owner_and_attributes(root: Path) -> None:
    result = change(root, changes(root))
    site = root / SITE_PATH
    assert (root / "etc/nginx/sites-enabled/site").is_symlink()
    assert b"include /etc/nginx/ssemedic/site.conf" in site.read_bytes()
    info = site.stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o640, 33, 4)
    assert os.getxattr(site, "user.owner") == b"ops\0team"
    assert str((root / "etc/nginx/sites-enabled/old").readlink()) == "../sites-available/x"
    assert not (root / "etc/nginx/legacy.conf").exists()
    assert stat.S_IMODE((root / "etc/nginx/a/b/c.conf").stat().st_mode) == 0o600
    assert result["changed"]
    assert not list(root.rglob(".ssemedic-*"))


def test_going_back_restores_every_byte_and_every_attribute(root: Path) -> None:
    before = snapshot(root)
    result = change(root, changes(root))
    assert snapshot(root) != before
    assert revert(Host(str(root)), result["id"])["changed"]
    assert snapshot(root) == before
    assert watchdogs(root) == []
    assert not revert(Host(str(root)), result["id"])["changed"]


def test_a_confirmed_change_can_be_taken_back_later(root: Path) -> None:
    before = snapshot(root)
    identity = change(root, changes(root))["id"]
    assert commit(Host(str(root)), identity)["changed"]
    assert watchdogs(root) == []
    assert not commit(Host(str(root)), identity)["changed"]
    revert(Host(str(root)), identity)
    assert snapshot(root) == before


def test_a_confirmed_change_stays_confirmed_though_something_cannot_be_tidied_up(
    root: Path,
) -> None:
    identity = change(root, changes(root))["id"]
    after = snapshot(root)
    in_the_way = root / f"etc/systemd/system/ssemedic-undo-at-boot-{identity}.service"
    in_the_way.mkdir()
    done = commit(Host(str(root)), identity)
    in_the_way.rmdir()
    assert done["receipt"]["outcome"] == "committed"
    [told] = done["receipt"]["untidy"]
    assert in_the_way.name in told
    assert watchdogs(root) == []  # the timer is stopped all the same
    assert snapshot(root) == after


def test_going_back_over_a_later_edit_is_refused_unless_forced(root: Path) -> None:
    before = snapshot(root)
    identity = change(root, changes(root))["id"]
    commit(Host(str(root)), identity)
    (root / SITE_PATH).write_bytes(b"edited later\n")
    with pytest.raises(ChangeError, match="changed after change"):
        revert(Host(str(root)), identity)
    assert (root / SITE_PATH).read_bytes() == b"edited later\n"
    receipt = revert(Host(str(root)), identity, force=True)["receipt"]
    assert snapshot(root) == before
    [aside] = receipt["put_aside"]
    assert Path(aside).read_bytes() == b"edited later\n"


def test_a_second_run_changes_nothing_and_makes_no_transaction(root: Path) -> None:
    listed = changes(root)
    identity = change(root, listed)["id"]
    commit(Host(str(root)), identity)
    after = snapshot(root)
    again = change(root, listed)  # with the hashes of the first plan: already as wanted
    assert not again["changed"]
    assert again["diff"] == []
    assert snapshot(root) == after
    assert [one["id"] for one in status(Host(str(root)))["transactions"]] == [identity]


def test_check_mode_shows_what_the_run_does_and_leaves_nothing(root: Path) -> None:
    before = snapshot(root)
    foreseen = change(root, changes(root), check=True)
    assert snapshot(root) == before
    assert not (root / "var/lib/ssemedic").exists()
    real = change(root, changes(root))
    assert foreseen["changed"] and real["changed"]
    assert foreseen["diff"] == real["diff"]


def test_check_mode_refuses_drift_as_the_run_does(root: Path) -> None:
    listed = changes(root)
    (root / SITE_PATH).write_bytes(b"changed\n")
    with pytest.raises(ChangeError, match="since the plan was made: make a new one"):
        change(root, listed, check=True)


def test_the_diff_shows_old_and_new_text_with_foreign_bytes_escaped(root: Path) -> None:
    shown = {one["after_header"]: one for one in change(root, changes(root))["diff"]}
    site = shown["/etc/nginx/sites-enabled/site"]
    assert "caf\\xe9, {{ lookup('pipe'" in site["before"]
    assert "}\\r\n" in site["before"]  # nothing steers the terminal that shows it
    assert "include /etc/nginx/ssemedic" in site["after"]
    assert shown["/etc/nginx/ssemedic/site.conf"]["before_header"].endswith("(absent)")
    json.dumps(list(shown.values()))


def test_a_change_of_rights_alone_is_a_change_and_shown(root: Path) -> None:
    listed = [
        {
            "path": "/etc/nginx/legacy.conf",
            "content": "# to be removed\n",
            "mode": "0600",
            "owner": "www-data",
        }
    ]
    result = change(root, listed)
    assert result["changed"]
    assert result["diff"][0]["before_header"] == "/etc/nginx/legacy.conf (0644 0:0)"
    assert result["diff"][0]["after_header"] == "/etc/nginx/legacy.conf (0600 33:0)"


def test_a_write_that_fails_midway_leaves_all_old(root: Path) -> None:
    before = snapshot(root)
    listed = [
        *changes(root),
        # Its folder is to be made below a file: that cannot be.
        {"path": "/etc/nginx/sites-available/site/x/y.conf", "content": ""},
    ]
    with pytest.raises(ChangeError) as caught:
        change(root, listed)
    assert caught.value.undone is True
    assert snapshot(root) == before
    assert watchdogs(root) == []


def test_an_immutable_file_leaves_all_old_and_says_which(root: Path) -> None:
    site = root / SITE_PATH
    if subprocess.run(["chattr", "+i", site], capture_output=True).returncode:
        pytest.skip("this file system has no immutable files")
    before = snapshot(root)
    try:
        with pytest.raises(ChangeError) as caught:
            change(root, changes(root))
        assert snapshot(root) == before
    finally:
        subprocess.run(["chattr", "-i", site], check=True)
    assert "sites-available/site: Operation not permitted; the change was undone" in str(
        caught.value
    )


def test_someone_who_writes_meanwhile_wins_and_nothing_is_lost(root: Path) -> None:
    before = snapshot(root)

    def interfere(step: str) -> None:
        if step == "swapped 0":
            (root / "etc/nginx/legacy.conf").write_bytes(b"certbot\n")

    with pytest.raises(
        ChangeError, match=r"legacy\.conf: someone else changed it just now"
    ) as error:
        change(root, changes(root), step=interfere)
    assert error.value.undone is True
    assert error.value.sentence.startswith("/etc/nginx/legacy.conf: ")
    receipt = status(Host(str(root)))["transactions"][0]["receipt"]
    assert receipt["theirs"] == ["/etc/nginx/legacy.conf"]
    assert (root / "etc/nginx/legacy.conf").read_bytes() == b"certbot\n"
    after = snapshot(root)
    assert {k: v for k, v in after.items() if "legacy" not in k} == {
        k: v for k, v in before.items() if "legacy" not in k
    }


LAST_MOMENT = {
    "an edit": ("/etc/nginx/sites-enabled/site", "exchange"),
    "a removal": ("/etc/nginx/legacy.conf", "move"),
    "a new file": (OURS, "move"),
}


@pytest.mark.parametrize("what", LAST_MOMENT)
def test_a_write_between_the_last_look_and_the_rename_is_not_lost(
    root: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The kernel's call is the real one; certbot comes first in the moment before it."""
    path, name = LAST_MOMENT[what]
    [one] = [change for change in changes(root) if change["path"] == path]
    target = (root / path.lstrip("/")).resolve()
    real = getattr(exchange, name)

    def too_late(first: str, second: str) -> None:
        if not target.exists() or target.read_bytes() != b"certbot\n":
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(b"certbot\n")
        real(first, second)

    monkeypatch.setattr(exchange, name, too_late)
    with pytest.raises(ChangeError, match="someone else changed it just now"):
        change(root, [one])
    assert target.read_bytes() == b"certbot\n"
    left = [p.name for p in (root / "etc").rglob(".ssemedic-*")]
    assert left == []


def test_without_an_exchange_in_the_kernel_a_change_is_made_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(root)

    def unknown(*_: object) -> None:
        raise exchange.NotSupportedError("renameat2")

    monkeypatch.setattr(exchange, "_rename", unknown)
    done = change(root, changes(root))
    assert (root / OURS.lstrip("/")).exists()
    assert not (root / "etc/nginx/legacy.conf").exists()
    revert(Host(str(root)), str(done["id"]))
    assert snapshot(root) == before


def test_nobody_confirms_and_the_host_undoes_it_by_itself(root: Path) -> None:
    before = snapshot(root)
    identity = change(root, changes(root), window=1)["id"]
    assert snapshot(root) != before
    end = time.monotonic() + 15
    while watchdogs(root) and time.monotonic() < end:
        time.sleep(0.05)
    assert snapshot(root) == before
    with pytest.raises(ChangeError, match="observed reverted at") as error:
        commit(Host(str(root)), identity)
    assert error.value.undone is True
    [receipt] = status(Host(str(root)))["undone_by_host"]
    assert (receipt["id"], receipt["by"]) == (identity, "timer")
    told = change(root, changes(root))["undone_by_host"]
    assert [one["id"] for one in told] == [identity]
    assert status(Host(str(root)))["undone_by_host"] == []


def test_a_timer_that_fires_after_the_confirmation_does_nothing(root: Path) -> None:
    identity = change(root, changes(root))["id"]
    commit(Host(str(root)), identity)
    after = snapshot(root)
    program = root / "var/lib/ssemedic" / identity / "undo.py"
    subprocess.run([sys.executable, "-IB", program], check=True, timeout=30)
    assert snapshot(root) == after
    assert status(Host(str(root)))["transactions"][0]["phase"] == journal.COMMITTED


def test_the_timer_ends_a_run_that_hangs_with_the_lock(root: Path) -> None:
    before = snapshot(root)
    hang = (
        "import sys, time; sys.path[:0] = sys.argv[1:3]\n"
        "from transaction_driver import *\n"
        "def step(name):\n"
        "    if name == 'swapped 4': time.sleep(600)\n"
        "root = sys.argv[3]\n"
        "activate(Host(root), planned(changes(Path(root)), root), activation(None), 600, ID,"
        " step=step)\n"
    )
    here = Path(__file__).parent
    utilities = here.parents[1] / "plugins/module_utils"
    child = subprocess.Popen([sys.executable, "-c", hang, here, utilities, root])
    end = time.monotonic() + 20
    while (root / "etc/nginx/legacy.conf").exists() or not list(root.rglob("c.conf")):
        assert time.monotonic() < end
        time.sleep(0.05)
    where = root / "var/lib/ssemedic/test-1"
    impatient = (
        "import sys; sys.path.insert(0, sys.argv[1] + '/undo')\n"
        "from sse_change import undo\n"
        "undo.PATIENCE_SECONDS = 0.3\n"
        "sys.exit(undo.main(sys.argv[1], []))\n"
    )
    subprocess.run([sys.executable, "-c", impatient, where], check=True, timeout=30)
    assert child.wait(timeout=10) == -9
    assert snapshot(root) == before


def test_two_runs_at_once_do_not_meet(root: Path) -> None:
    change(root, [])  # makes the state directory
    with journal.locked(str(root / "var/lib/ssemedic"), 1):
        started = time.monotonic()
        with (
            pytest.raises(ChangeError, match="held by another run"),
            journal.locked(str(root / "var/lib/ssemedic"), 0.2),
        ):
            pass
        assert time.monotonic() - started < 2


def test_the_state_is_for_root_alone(root: Path) -> None:
    change(root, changes(root))
    state = root / "var/lib/ssemedic"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for path in state.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or path.is_dir()


def test_ten_ended_generations_are_kept(root: Path) -> None:
    for number in range(13):
        listed = [{"path": "/etc/nginx/n.conf", "content": f"# {number}\n"}]
        commit(Host(str(root)), change(root, listed)["id"])
    assert len(status(Host(str(root)))["transactions"]) == journal.KEPT_GENERATIONS


def test_damaged_old_bytes_are_never_put_back(root: Path) -> None:
    identity = change(root, changes(root))["id"]
    (root / "var/lib/ssemedic" / identity / "before/1").write_bytes(b"bit rot")
    with pytest.raises(ChangeError) as error:
        revert(Host(str(root)), identity)
    assert error.value.undone is False
    assert b"bit rot" not in (root / SITE_PATH).read_bytes()
    assert (root / "etc/nginx/legacy.conf").exists()  # what could be put back was


@pytest.mark.parametrize(
    "path", ["etc/x", "/etc/../x", "/etc//x", "/etc/x/", "/etc/x\nnext", "/etc/\x1b[31m"]
)
def test_a_path_that_is_not_absolute_and_plain_is_refused(root: Path, path: str) -> None:
    assert "must be absolute and plain" in refused(root, [{"path": path, "content": ""}]).sentence


def test_one_file_by_two_names_is_refused(root: Path) -> None:
    listed = [
        {"path": "/etc/nginx/sites-enabled/site", "content": "a"},
        {"path": "/etc/nginx/sites-available/site", "content": "b"},
    ]
    assert "changed twice" in refused(root, listed).sentence


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"mode": "rw"}, "mode"),
        ({"owner": "no-such-user"}, "unknown on this host"),
        ({"content_b64": "%%"}, "either content or content_b64"),
        ({"expected_sha256": "abc"}, "64 hex digits"),
    ],
)
def test_a_malformed_change_is_refused_in_one_sentence(
    root: Path, extra: dict[str, str], said: str
) -> None:
    listed = [{"path": "/etc/nginx/new.conf", "content": "", **extra}]
    assert said in refused(root, listed).sentence


@pytest.mark.parametrize(
    "name", ["../x", "-f", "a b.service", "x.conf", "a;b.service", "x\n.service"]
)
def test_a_unit_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ChangeError, match="must be a unit name"):
        activation({"units": [{"name": name}]})


@pytest.mark.parametrize("identity", ["../../etc", "", "a/b", ".hidden"])
def test_an_id_cannot_leave_the_state_directory(root: Path, identity: str) -> None:
    with pytest.raises(ChangeError, match="must be letters, digits"):
        commit(Host(str(root)), identity)


def test_bytes_are_written_as_given(root: Path) -> None:
    import base64

    raw = SITE + b"\0\xff"
    encoded = base64.b64encode(raw).decode()
    change(root, [{"path": "/etc/nginx/raw.conf", "content_b64": encoded}])
    assert (root / "etc/nginx/raw.conf").read_bytes() == raw


def test_what_is_not_utf_8_is_sent_escaped_and_all_else_as_it_is() -> None:
    told = {"a\udcff": ["caf\xe9", "\ud800x", 7, None, ("b\udc9b",)]}
    assert sendable(told) == {"a\\xff": ["caf\xe9", "\\ud800x", 7, None, ["b\\x9b"]]}
    json.dumps(sendable(told), ensure_ascii=False).encode("utf-8")
