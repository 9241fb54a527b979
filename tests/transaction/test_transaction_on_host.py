"""The transaction on a real host: nginx, systemd and the service see what they should see."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from transaction_host import Host
from transaction_steps import LIVE, LIVE_DEADLY, LIVE_DEADLY_FOR_UNDO

pytestmark = pytest.mark.lab

SITE = "/etc/nginx/sites-available/notify"
OURS = "/etc/nginx/ssemedic/events.conf"
DROP_IN = "/etc/systemd/system/notify.service.d/zz-ssemedic.conf"
STEPS = [
    *("snapshot", "timer", "armed", "swapping", "directory made"),
    *("aside 0", "aside 1", "aside 2", "swapped 0", "swapped 1", "swapped 2"),
    *LIVE,
]
# What precedes these, a file tree without processes shows (test_transaction_crash.py).
DEADLY = list(LIVE_DEADLY)
DEADLY_FOR_UNDO = list(LIVE_DEADLY_FOR_UNDO)
ACTIVATION = {
    "nginx": {"reload": True},
    "units": [
        {"name": "notify.service", "daemon_reload": True, "state": "restarted"},
        {"name": "idle.service", "enabled": True, "state": "started"},
    ],
}


@pytest.fixture
def host(lab_host: Host) -> Iterator[Host]:
    """The lab host without any transaction, and the same again when the test is over."""
    lab_host.must("rm -rf /var/lib/ssemedic")
    before = lab_host.look()
    yield lab_host
    after = lab_host.look()
    if after != before:  # this test failed; the next one is to have a whole host
        for one in lab_host.perform("status")["transactions"]:
            lab_host.perform("revert", id=one["id"])
    assert after == before
    assert lab_host.answers()


def changes(host: Host) -> list[dict[str, Any]]:
    """Include our file in the site's server block, and lower the limit of open files."""
    site = host.must(f"cat {SITE}")
    text = site.replace("server {", f"server {{\n    include {OURS};", 1)
    log = "access_log /var/log/nginx/ours.log;\n"
    return [
        {"path": OURS, "content": "proxy_read_timeout 2h;\n" + log, "expected_sha256": ""},
        {
            "path": SITE,
            "content_b64": base64.b64encode(text.encode()).decode(),
            "expected_sha256": hashlib.sha256(site.encode()).hexdigest(),
        },
        {"path": DROP_IN, "content": "[Service]\nLimitNOFILE=4321\n", "expected_sha256": ""},
    ]


def one(path: str, content: str) -> list[dict[str, Any]]:
    return [{"path": path, "content": content}]


def test_a_change_takes_effect_and_goes_back_without_a_trace(host: Host) -> None:
    done = host.perform("activate", changes=changes(host), activation=ACTIVATION)
    assert done["changed"], done
    assert list(dict.fromkeys(done["steps"])) == STEPS
    assert done["validated"] == [
        "nginx -t on the whole tree, mounted in a private namespace",
        "systemd-analyze verify notify.service",
    ]
    assert set(done["workers_before"]).isdisjoint(done["workers_after"])
    now = host.look()
    assert now["limits"] == [["4321", "4321"]]
    assert "ssemedic-undo-" in now["timers"]
    assert "ours.log" in now["logs"]
    assert host.answers()
    back = host.perform("revert", id=done["id"])
    assert back["changed"], back


def test_a_second_run_changes_nothing_and_reloads_nothing(host: Host) -> None:
    wanted = changes(host)
    first = host.perform("activate", changes=wanted, activation=ACTIVATION)
    host.perform("commit", id=first["id"])
    again = host.perform("activate", changes=wanted, activation=ACTIVATION)
    assert not again["changed"], again
    assert again["workers_before"] == first["workers_after"]
    assert host.look()["timers"] == ""
    assert host.perform("revert", id=first["id"])["changed"]


def test_nginx_is_reloaded_without_a_changed_file_where_that_is_asked_for(host: Host) -> None:
    always = {"nginx": {"reload": True, "always": True}}
    done = host.perform("activate", changes=[], activation=always)
    assert done["changed"] and done["diff"] == [], done
    assert not set(done["workers_before"]) & set(done["workers_after"])
    assert any("nginx -t" in how for how in done["validated"])
    assert host.perform("commit", id=done["id"])["changed"]
    assert host.answers()


def test_check_mode_shows_the_same_and_leaves_nothing(host: Host) -> None:
    wanted = changes(host)
    before = host.look()
    foreseen = host.perform("activate", changes=wanted, activation=ACTIVATION, check=True)
    assert host.look() == before
    assert host.run("test -e /var/lib/ssemedic").returncode == 1
    assert host.must("ls /tmp | grep -c ssemedic || true").strip() == "0"
    real = host.perform("activate", changes=wanted, activation=ACTIVATION)
    host.perform("revert", id=real["id"])
    for key in ("changed", "diff", "validated"):
        assert foreseen[key] == real[key]


def test_killed_at_any_step_the_next_run_brings_back_all_old(host: Host) -> None:
    wanted, before = changes(host), host.look()
    failed = []
    for step in DEADLY:
        host.perform("activate", changes=wanted, activation=ACTIVATION, die_at=step, id="killed")
        if step == "activated":  # whole and still guarded: it is the other run's to judge
            refused = host.perform("recover")
            assert "another run is proving it" in refused["msg"]
            host.perform("revert", id="killed")
        else:
            host.perform("recover")
        host.must("systemctl stop 'ssemedic-undo-*.timer'")  # of a run killed before it said so
        now = host.look()
        failed += [
            (step, key, before.get(key), now.get(key)) for key in now if now[key] != before.get(key)
        ]
        if not host.answers():
            failed.append((step, "no answer", None, None))
        host.must("rm -rf /var/lib/ssemedic")
    assert failed == []


def test_killed_while_undoing_the_next_run_finishes_it(host: Host) -> None:
    wanted, before = changes(host), host.look()
    for step in DEADLY_FOR_UNDO:
        host.perform("activate", changes=wanted, activation=ACTIVATION, id="killed")
        host.perform("revert", id="killed", die_at=step)
        host.perform("recover")
        assert host.look() == before, step
        assert host.answers(), step
        host.must("rm -rf /var/lib/ssemedic")


@pytest.mark.parametrize("step", ["swapped 1", "reloaded", ""])
def test_the_host_alone_goes_back_when_nobody_confirms(host: Host, step: str) -> None:
    before = host.look()
    host.perform(
        "activate", changes=changes(host), activation=ACTIVATION, die_at=step, id="lone", window=2
    )
    end = time.monotonic() + 30
    while not (told := host.perform("status")["undone_by_host"]):
        assert time.monotonic() < end
        time.sleep(0.3)
    assert told[0]["sentence"].startswith("nobody confirmed the change in time")
    while host.look() != before:
        assert time.monotonic() < end
    assert host.answers()


@pytest.mark.parametrize(
    ("step", "restart"),
    [("", "systemctl --no-block reboot"), ("swapped 1", "systemctl reboot -ff")],
    ids=["activated, orderly", "half swapped, at once"],
)
def test_a_restart_of_the_host_undoes_what_nobody_confirmed(
    host: Host, step: str, restart: str
) -> None:
    before = host.look()
    host.perform("activate", changes=changes(host), activation=ACTIVATION, die_at=step, id="cut")
    assert "undo-at-boot-cut.service" in host.must("ls /etc/systemd/system")
    host.run(restart)
    end = time.monotonic() + 60
    while host.run("test -e /var/lib/ssemedic/cut/receipt.json").returncode != 0:
        assert time.monotonic() < end
        time.sleep(0.5)
    while host.look() != before:
        assert time.monotonic() < end, host.look()
        time.sleep(0.5)
    told = host.perform("status")["undone_by_host"]
    assert [one["by"] for one in told] == ["boot"]
    assert "the host was restarted before the change was confirmed" in told[0]["sentence"]
    assert host.must("find /etc -name '*ssemedic*'") == ""
    while not host.answers():
        assert time.monotonic() < end
        time.sleep(0.5)


def test_a_configuration_that_nginx_refuses_never_becomes_real(host: Host) -> None:
    done = host.perform(
        "activate",
        changes=one("/etc/nginx/conf.d/x.conf", "no_such_thing on;\n"),
        activation=ACTIVATION,
    )
    assert done["msg"] == (
        'nginx: refuses the new configuration: unknown directive "no_such_thing" '
        "in /etc/nginx/conf.d/x.conf:1"
    )
    assert done["undone"] is True
    assert host.perform("status")["transactions"] == []


def test_a_configuration_that_was_broken_before_is_named_as_such(host: Host) -> None:
    host.must("echo 'stray;' > /etc/nginx/conf.d/broken.conf")
    try:
        done = host.perform("activate", changes=one(OURS, "gzip off;\n"), activation=ACTIVATION)
        assert "was broken before this change and still would be: unknown directive" in done["msg"]
        mended = host.perform(
            "activate",
            changes=[{"path": "/etc/nginx/conf.d/broken.conf", "kind": "absent"}],
            activation={"nginx": {"reload": True}},
        )
        assert mended["changed"], mended
        back = host.perform("revert", id=mended["id"])  # to what nginx cannot load
        assert back["receipt"]["outcome"] == "reverted"
        assert host.answers()
    finally:
        host.must("rm -f /etc/nginx/conf.d/broken.conf")


def test_going_back_works_while_the_configuration_is_broken(host: Host) -> None:
    done = host.perform("activate", changes=changes(host), activation=ACTIVATION)
    host.must(f"echo 'half a li' >> {SITE}")
    back = host.perform("revert", id=done["id"])
    assert back["receipt"]["outcome"] == "reverted", back
    [aside] = back["receipt"]["put_aside"]
    assert host.must(f"tail -1 {aside}") == "half a li\n"


@pytest.mark.parametrize("line", ["LimitNOFIL=4321", "LimitNOFILE=many", "Type=forkin"])
def test_a_drop_in_that_systemd_would_ignore_is_refused(host: Host, line: str) -> None:
    done = host.perform(
        "activate", changes=one(DROP_IN, f"[Service]\n{line}\n"), activation=ACTIVATION
    )
    assert "systemd: refuses the new notify.service: " + DROP_IN + ":2: " in done["msg"], done


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("ExecStart=\nExecStart=/bin/false", "unit notify.service: "),
        ("ExecStart=\nExecStart=/bin/sleep inf", "must be active and listen on port 8000"),
    ],
)
def test_a_service_that_does_not_come_back_is_undone_at_once(
    host: Host, lines: str, said: str
) -> None:
    units = {"units": [{"name": "notify.service", "daemon_reload": True, "state": "restarted"}]}
    broken = one(DROP_IN, f"[Service]\n{lines}\n")
    done = host.perform("activate", changes=broken, activation=units, ready_seconds=4)
    assert said in done["msg"]
    assert done["msg"].endswith("; the change was undone")
    assert done["undone"] is True


def test_workers_that_die_after_the_reload_are_noticed(host: Host) -> None:
    # nginx -t does not see it: a worker may not bind to an address it does not have the right to.
    broken = one("/etc/nginx/conf.d/x.conf", "server { listen 198.51.100.250:8081; }\n")
    done = host.perform("activate", changes=broken, activation={"nginx": {"reload": True}})
    assert done["undone"] is True
    assert "198.51.100.250:8081 failed" in done["msg"]


def test_the_service_gets_what_its_files_say_even_if_nothing_is_to_be_written(host: Host) -> None:
    host.must(f"mkdir -p {DROP_IN.rpartition('/')[0]}")
    host.must(f"cat > {DROP_IN} && systemctl daemon-reload", b"[Service]\nLimitNOFILE=5000\n")
    try:
        wish = {"units": [{"name": "notify.service", "daemon_reload": True, "state": "restarted"}]}
        same = one(DROP_IN, "[Service]\nLimitNOFILE=5000\n")
        first = host.perform("activate", changes=same, activation=wish)
        assert first["changed"]
        assert host.look()["limits"] == [["5000", "5000"]]
        host.perform("commit", id=first["id"])
        assert not host.perform("activate", changes=same, activation=wish)["changed"]
    finally:
        host.must(f"rm -r {DROP_IN.rpartition('/')[0]} && systemctl daemon-reload")
        host.must("systemctl restart notify && sleep 1")


def test_etc_that_is_read_only_is_said_before_anything_is_begun(host: Host) -> None:
    wanted = changes(host)
    host.must("mount --bind /etc /etc && mount -o remount,bind,ro /etc")
    try:
        done = host.perform("activate", changes=wanted, activation=ACTIVATION)
        assert done["msg"].endswith(".service: Read-only file system; nothing was changed"), done
        assert done["undone"] is True
        assert host.perform("status")["transactions"] == []
    finally:
        host.must("umount -l /etc")


def test_sudo_that_is_revoked_before_the_confirmation_undoes_the_change(host: Host) -> None:
    before = host.look()
    rule, aside = "/etc/sudoers.d/medic", "/root/medic.sudoers"
    host.perform("activate", changes=changes(host), activation=ACTIVATION, id="alone", window=4)
    # The host gives the right back by itself: after that nobody else could.
    when = "--on-active=12s --timer-property=AccuracySec=100ms"
    give = f"systemd-run --quiet {when} mv {aside} {rule}"
    host.must(f"{give} && mv {rule} {aside}")
    assert b"sudo" in host.run("true").stderr  # nothing can be confirmed now
    end = time.monotonic() + 60
    while host.run("true").returncode != 0:
        assert time.monotonic() < end
        time.sleep(0.5)
    while host.look() != before:
        assert time.monotonic() < end
        time.sleep(0.5)
    [told] = host.perform("status")["undone_by_host"]
    assert (told["id"], told["by"], told["outcome"]) == ("alone", "timer", "reverted")


def test_the_timer_goes_by_a_clock_that_nobody_can_set(host: Host) -> None:
    done = host.perform("activate", changes=changes(host), activation=ACTIVATION)
    unit = f"ssemedic-undo-{done['id']}"
    shown = host.must(f"systemctl show {unit}.timer -p TimersMonotonic -p TimersCalendar")
    assert "OnActiveUSec=10min" in shown
    assert "OnCalendar" not in shown
    assert host.perform("revert", id=done["id"])["changed"]


def test_a_timer_that_is_killed_while_it_undoes_begins_again(host: Host) -> None:
    before = host.look()
    host.perform("activate", changes=changes(host), activation=ACTIVATION, id="twice", window=2)
    hold = "exec 9>/var/lib/ssemedic/lock; flock 9; sleep 6"
    host.must(f"systemd-run --quiet --collect sh -c '{hold}'")  # the undo waits for the lock
    pid, end = "0", time.monotonic() + 30
    while pid == "0":
        assert time.monotonic() < end
        pid = host.must("systemctl show ssemedic-undo-twice -p MainPID --value").strip()
    host.must(f"kill -9 {pid}")
    while host.run("test -e /var/lib/ssemedic/twice/receipt.json").returncode != 0:
        assert time.monotonic() < end
        time.sleep(0.3)
    while host.look() != before:
        assert time.monotonic() < end
        time.sleep(0.3)
    assert [one["by"] for one in host.perform("status")["undone_by_host"]] == ["timer"]


def test_a_rollback_killed_on_its_way_is_finished_by_the_host(host: Host) -> None:
    before = host.look()
    done = host.perform("activate", changes=changes(host), activation=ACTIVATION, window=5)
    host.perform("commit", id=done["id"])
    host.perform("revert", id=done["id"], die_at="restored 1")
    assert host.look() != before
    end = time.monotonic() + 30
    while host.look() != before:
        assert time.monotonic() < end
        time.sleep(0.5)
    assert host.perform("status")["undone_by_host"][0]["by"] == "timer"


def test_old_workers_that_keep_a_stream_are_told(host: Host) -> None:
    # A request that is never finished keeps its worker as an open stream does.
    host.must(
        "systemd-run --quiet --collect --unit=slow bash -c "
        "'exec 3<>/dev/tcp/127.0.0.1/8080; printf \"POST /api HTTP/1.1\\r\\nHost: x\\r\\n"
        "Content-Length: 9\\r\\n\\r\\n\" >&3; sleep 600' && sleep 0.5"
    )
    try:
        always = {"nginx": {"reload": True, "always": True}}
        done = host.perform("activate", changes=[], activation=always)
        assert len(done["workers_leaving"]) == 1, done
        assert set(done["workers_leaving"]) <= set(done["workers_before"])
        [crowd] = [one for one in done["streams"] if one["at"] == "port 8080"]
        assert (crowd["of"], crowd["will"], crowd["kept"]) == (
            "nginx.service",
            "stay",
            crowd["open"],
        )
        host.perform("commit", id=done["id"])
    finally:
        host.must("systemctl stop slow")


def test_a_service_that_hangs_is_restarted_though_none_of_its_files_changed(host: Host) -> None:
    pid = host.must("systemctl show notify -p MainPID --value")
    wish = {"name": "notify.service", "state": "restarted"}
    assert not host.perform("activate", changes=[], activation={"units": [wish]})["changed"]
    # A stream at the service itself, to be told as one that drops.
    host.must(
        "systemd-run --quiet --collect --unit=held bash -c "
        "'exec 3<>/dev/tcp/127.0.0.1/8000; sleep 600' && sleep 0.5"
    )
    always = {"units": [{**wish, "always": True}]}
    told = host.perform("activate", changes=[], activation=always, check=True)["streams"]
    done = host.perform("activate", changes=[], activation=always)
    assert done["changed"], done
    assert host.must("systemctl show notify -p MainPID --value") != pid
    host.perform("commit", id=done["id"])
    host.run("systemctl stop held")
    assert [(one["of"], one["at"], one["will"]) for one in told] == [
        ("notify.service", "port 8000", "drop")
    ]
    assert [one["kept"] for one in done["streams"]] == [0]
    host.must("rm -rf /var/lib/ssemedic")
