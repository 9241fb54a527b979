"""One change of one host, from the plan's list to a confirmed or an undone change."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from . import files, guard, journal, nginx, shadow, units
from .change import Activation, Planned, UnitWish, difference, differences, refuse_drift
from .errors import ChangeError
from .exchange import install
from .inflight import DROP, STAY, Crowd, crowds, shutdown_timeout, told, told_after
from .journal import Journal, Kept, KeptUnit
from .pending import pending
from .process import started
from .undo import Step, as_left, attempt, nothing, undo

LOCK_SECONDS = 10.0


@dataclass(frozen=True)
class Host:
    """Where files are looked for. ``root`` other than "/" is a tree without processes."""

    root: str = "/"

    @property
    def state(self) -> str:
        return os.path.join(self.root, journal.STATE.lstrip("/"))

    @property
    def systemd_root(self) -> str:
        return os.path.join(self.root, units.ROOT.lstrip("/"))

    @property
    def is_live(self) -> bool:
        return self.root == "/"


@dataclass(frozen=True)
class Intent:
    """What would really be done: only what is not already so."""

    changes: tuple[Planned, ...]
    units: tuple[tuple[UnitWish, Mapping[str, str], str], ...]  # wish, state, verb or ""
    daemon_reload: bool
    nginx_reload: bool
    nginx_master: int | None
    also_activates: tuple[str, ...]
    crowds: tuple[Crowd, ...] = ()  # who is connected to what is reloaded or restarted

    @property
    def is_empty(self) -> bool:
        return not (self.changes or self.units or self.daemon_reload or self.nginx_reload)


def activate(
    host: Host,
    changes: Sequence[Planned],
    activation: Activation,
    window: float,
    identity: str | None = None,
    check: bool = False,
    step: Step = nothing,
) -> dict[str, Any]:
    """Change the host and leave it armed: it goes back by itself after ``window`` seconds.

    ``check`` looks, compares and validates, and leaves nothing behind. Raises ChangeError if
    the change is refused or was undone; the host is then as it was, unless ``undone`` is False.
    """
    begun = time.monotonic()
    identity = journal.check_id(identity or journal.new_id())
    may = not host.is_live or os.geteuid() == 0
    if check:
        result = _considered(host, changes, activation)[0] if may else _compared(changes)
        return _timed(dict(result, id=identity), begun)
    if not may:
        raise ChangeError("this user: is not root, must be root to change a host")
    try:
        journal.prepare(host.state)
    except OSError as error:
        raise ChangeError(_os_sentence(error) + "; nothing was changed") from error
    with journal.locked(host.state, LOCK_SECONDS):
        recovered = _settle_older(host.state)
        told = _tell(host.state)
        result, intent, was_valid = _considered(host, changes, activation)
        result.update(id=identity, recovered=recovered, undone_by_host=told)
        if intent.is_empty:
            return _timed(result, begun)
        state, before = _snapshot(host, intent, activation, identity, window, was_valid)
        where = _stage(host, state, before, step)
        state = _arm(where, state, step)
        try:
            state = _swap(where, state, intent.changes, step)
            state = _journal_at(where, state, journal.SWAPPING, live=True)
            result.update(_bring_to_life(intent, activation, step))
            result["streams"] = told_after(intent.crowds)
            _journal_at(where, state, journal.ACTIVATED)
        except (ChangeError, OSError) as error:
            reason = error.sentence if isinstance(error, ChangeError) else _os_sentence(error)
            undo(where, "run", reason)  # raises, with undone False, if it fails
            raise ChangeError(reason + "; the change was undone", id=identity) from error
        step("activated")
    return _timed(result, begun)


def commit(host: Host, identity: str, step: Step = nothing) -> dict[str, Any]:
    """Confirm a change: stop the timer, keep the old state for a later return.

    ``changed_since`` are its paths that someone else wrote while it was open: they stay so.
    """
    where = _existing(host, identity)
    with journal.locked(host.state, LOCK_SECONDS):
        state = _journal(where)
        receipt = journal.read_receipt(where)
        if state.phase == journal.COMMITTED:
            guard.disarm(state)
            return {"changed": False, "id": identity, "receipt": receipt}
        if state.phase != journal.ACTIVATED:
            raise ChangeError(
                "change {}: observed {}{}, must be activated to be confirmed".format(
                    identity, state.phase, " at " + receipt["at"] if receipt else ""
                ),
                undone=state.phase == journal.REVERTED,
                receipt=receipt,
            )
        since = _changed_since(state)
        # The journal first: a timer that fires now finds the change confirmed.
        try:
            journal.save(where, state.at(journal.COMMITTED))
        except OSError as error:
            raise ChangeError(
                f"{_os_sentence(error)}; the change is not confirmed, the host undoes it in "
                f"{guard.seconds_left(state.guard):.0f} s",
                undone=None,
            ) from error
        step("confirmed")
        # From here on the change is in force, so what cannot be tidied up is told and no failure:
        # a timer or a boot that finds the change confirmed does nothing.
        untidy: list[str] = []
        attempt(untidy, partial(guard.disarm, state))
        step("disarmed")
        if units.systemd_runs() and (state.daemon_reload or state.units):
            # It saw the boot's unit beside the changed ones.
            attempt(untidy, partial(units.command, "daemon-reload"))
        receipt = journal.receipt(
            where, journal.COMMITTED, "run", "the change was confirmed", untidy=untidy
        )
        journal.write_receipt(where, receipt)
        step("receipt")
        journal.mark_told(where)
        journal.prune(host.state)
    return {"changed": True, "id": identity, "receipt": receipt, "changed_since": since}


def revert(host: Host, identity: str, force: bool = False, step: Step = nothing) -> dict[str, Any]:
    """Go back, from an open change or from a confirmed one.

    A confirmed change whose files were changed since is refused unless ``force``.
    """
    where = _existing(host, identity)
    with journal.locked(host.state, LOCK_SECONDS):
        state = _journal(where)
        if state.phase == journal.REVERTED:
            return {"changed": False, "id": identity, "receipt": journal.read_receipt(where)}
        if state.phase == journal.COMMITTED:
            if not force:
                _refuse_later_changes(state)
            _arm_again(where, state)
            step("armed again")
        receipt = undo(where, "run", "asked to go back", step)
        journal.mark_told(where)
        journal.prune(host.state)
    return {"changed": True, "id": identity, "receipt": receipt}


def recover(host: Host, step: Step = nothing) -> list[dict[str, Any]]:
    """Finish every transaction that was left half done; returns their receipts."""
    if not os.path.isdir(host.state):
        return []
    with journal.locked(host.state, LOCK_SECONDS):
        return _settle_older(host.state, step)


def recovered(host: Host, check: bool = False) -> dict[str, Any]:
    """`recover`, and what the host undid by itself since a run last told of it."""
    if check or not os.path.isdir(host.state):
        waiting = [one for one in pending(host.state) if one["phase"] not in journal.ENDED]
        return {"changed": bool(waiting), "recovered": [], "undone_by_host": []}
    receipts = recover(host)
    with journal.locked(host.state, LOCK_SECONDS):
        told = _tell(host.state)
    return {"changed": bool(receipts), "recovered": receipts, "undone_by_host": told}


def status(host: Host) -> dict[str, Any]:
    """All transactions, the one that is open, and what the host undid by itself. Reads only."""
    listed = []
    for where in journal.transactions(host.state):
        state = journal.load(where)
        listed.append(
            {
                "id": os.path.basename(where),
                "phase": state.phase if state else journal.STAGED,
                "created": state.created if state else None,
                "window": state.window if state else None,
                "paths": [kept.path for kept in state.kept] if state else [],
                "units": [unit.name for unit in state.units] if state else [],
                "armed": guard.armed(state.guard) if state else False,
                "receipt": journal.read_receipt(where),
            }
        )
    unfinished = [one["id"] for one in listed if one["phase"] not in journal.ENDED]
    return {
        "changed": False,
        "transactions": listed,
        "unfinished": unfinished[-1] if unfinished else None,
        "undone_by_host": journal.untold(host.state),
    }


def describe(host: Host, identity: str) -> dict[str, Any]:
    """One change: what it put in the place of what, and what others changed since. Reads only.

    ``diff`` goes from what was there before to what is there now; a change that was undone
    has none. ``changed_since`` are its paths that are not as it left them.
    """
    where = _existing(host, identity)
    state = _journal(where)
    diff, drifted = [], []
    for number, kept in enumerate(state.kept if state.phase != journal.REVERTED else ()):
        now, before = files.look(kept.where), journal.thing_before(where, number, kept)
        if not as_left(now, kept) and not now.same_thing(before):
            drifted.append(kept.path)
        diff.append(difference(kept.path, before, now))
    return {
        "changed": False,
        "id": identity,
        "phase": state.phase,
        "created": state.created,
        "paths": [kept.path for kept in state.kept],
        "units": [unit.name for unit in state.units],
        "changed_since": drifted,
        "receipt": journal.read_receipt(where),
        "diff": diff,
    }


def _compared(changes: Sequence[Planned]) -> dict[str, Any]:
    """What a user without root rights can tell of a change: what differs, and no more."""
    refuse_drift(changes)
    differing = [one for one in changes if one.differs]
    return {
        "changed": True,
        "diff": differences(differing),
        "validated": [],
        "not_validated": "only root can test it as a whole and see what would be reloaded",
    }


def _considered(
    host: Host, changes: Sequence[Planned], activation: Activation
) -> tuple[dict[str, Any], Intent, bool]:
    """The same, and a disk that fails while we look is told in a sentence."""
    try:
        return _consider(host, changes, activation)
    except OSError as error:
        raise ChangeError(_os_sentence(error) + "; nothing was changed") from error


def _consider(
    host: Host, changes: Sequence[Planned], activation: Activation
) -> tuple[dict[str, Any], Intent, bool]:
    """Everything that only looks: drift, what differs, and whether it would be valid."""
    refuse_drift(changes)
    intent = _intent(host, changes, activation)
    validated: list[str] = []
    was_valid = True
    if (intent.changes or activation.nginx_always) and host.is_live:
        validated, was_valid = _validate(intent, activation)
    result: dict[str, Any] = {
        "changed": not intent.is_empty,
        "diff": differences(intent.changes) + _unit_differences(intent),
        "validated": validated,
        "also_activates": list(intent.also_activates),
        "workers_before": list(nginx.serving(intent.nginx_master)),
        "workers_after": list(nginx.serving(intent.nginx_master)),
        "workers_leaving": list(nginx.leaving(intent.nginx_master)),
        "streams": told(intent.crowds),
    }
    return result, intent, was_valid


def _intent(host: Host, changes: Sequence[Planned], activation: Activation) -> Intent:
    differing = tuple(one for one in changes if one.differs)
    if not host.is_live:
        return Intent(differing, (), False, False, None, ())
    touches_nginx = any(not shadow.is_systemd(one.path) for one in differing)
    master = nginx.master(activation.nginx_unit)
    waiting: tuple[str, ...] = ()
    if activation.nginx_reload and master is not None:
        found = nginx.installed(master)
        waiting = nginx.newer_than_workers(os.path.dirname(found.main), master) if found else ()
    reload = (
        activation.nginx_reload
        and master is not None
        and (touches_nginx or bool(waiting) or activation.nginx_always)
    )
    wishes = [_unit_intent(wish, differing) for wish in activation.units]
    wished = tuple(one for one in wishes if one is not None)
    return Intent(
        changes=differing,
        units=wished,
        daemon_reload=any(
            wish.daemon_reload and _stale_definition(wish, differing) for wish in activation.units
        ),
        nginx_reload=reload,
        nginx_master=master,
        also_activates=waiting,
        crowds=_crowds(activation.nginx_unit, master if reload else None, wished),
    )


def _crowds(
    nginx_unit: str,
    reloaded: int | None,
    wished: Sequence[tuple[UnitWish, Mapping[str, str], str]],
) -> tuple[Crowd, ...]:
    found: list[Crowd] = []
    restarted = {wish.name for wish, _, verb in wished if verb}
    if reloaded is not None and nginx_unit not in restarted:
        until = shutdown_timeout(nginx.installed(reloaded))
        found += crowds(nginx_unit, reloaded, STAY, until)
    for wish, state, verb in wished:
        if verb:
            found += crowds(wish.name, int(state.get("MainPID") or 0), DROP)
    return tuple(found)


def _unit_intent(
    wish: UnitWish, changes: Sequence[Planned]
) -> tuple[UnitWish, Mapping[str, str], str] | None:
    if not units.systemd_runs():
        raise ChangeError(f"unit {wish.name}: this host does not run systemd, must do so")
    state = units.properties(wish.name)
    ours = [one for one in changes if shadow.unit_of(one.path) == wish.name]
    made_now = any(one.after.kind != files.ABSENT for one in ours)
    if state.get("LoadState") == "not-found" and not made_now:
        raise ChangeError(f"unit {wish.name}: observed not-found, must exist")
    if state.get("LoadState") == "masked" and not ours:
        raise ChangeError(f"unit {wish.name}: observed masked, must be unmasked first")
    verb = ""
    if wish.state != "unchanged" and state.get("ActiveState") not in ("active", "reloading"):
        verb = "restart" if state.get("ActiveState") == "activating" else "start"
    elif wish.state == "restarted" and (ours or wish.always or units.outdated(state)):
        verb = "restart"
    enable = wish.enabled is not None and _enabled(state) != wish.enabled
    return (wish, state, verb) if verb or enable else None


def _enabled(state: Mapping[str, str]) -> bool:
    # static, generated and indirect units cannot be enabled: they count as they are.
    return state.get("UnitFileState", "") not in ("disabled", "", "enabled-runtime")


def _stale_definition(wish: UnitWish, changes: Sequence[Planned]) -> bool:
    ours = any(shadow.unit_of(one.path) == wish.name for one in changes)
    return ours or units.properties(wish.name).get("NeedDaemonReload") == "yes"


def _validate(intent: Intent, activation: Activation) -> tuple[list[str], bool]:
    validated: list[str] = []
    was_valid = True
    for_nginx = [one for one in intent.changes if not shadow.is_systemd(one.path)]
    looks = bool(for_nginx) or (activation.nginx_always and intent.nginx_reload)
    installed = nginx.installed(intent.nginx_master) if looks else None
    if for_nginx and installed is None and activation.nginx_reload:
        raise ChangeError(
            f"nginx: is not installed on this host, must be to check {for_nginx[0].path}"
        )
    if installed is not None:
        how, was_valid = shadow.check_nginx(for_nginx, installed)
        validated.append(how)
    return validated + shadow.check_systemd(intent.changes), was_valid


def _unit_differences(intent: Intent) -> list[dict[str, str]]:
    shown = []
    for wish, state, verb in intent.units:
        before = "state: {}\nenabled: {}\n".format(state.get("ActiveState"), _yes(_enabled(state)))
        enabled = _enabled(state) if wish.enabled is None else wish.enabled
        after = "state: {}\nenabled: {}\n".format(
            (f"active ({verb}ed)") if verb else state.get("ActiveState"),
            _yes(enabled),
        )
        shown.append(
            {
                "before_header": "unit " + wish.name,
                "after_header": "unit " + wish.name,
                "before": before,
                "after": after,
            }
        )
    return shown


def _snapshot(
    host: Host,
    intent: Intent,
    activation: Activation,
    identity: str,
    window: float,
    was_valid: bool,
) -> tuple[Journal, dict[int, files.Look]]:
    kept = tuple(_kept(one) for one in intent.changes)
    made: dict[str, None] = {}
    for one in intent.changes:
        if one.after.kind != files.ABSENT:
            made.update(dict.fromkeys(files.missing_parents(one.where)))
    state = Journal(
        id=identity,
        phase=journal.STAGED,
        created=time.time(),
        window=window,
        kept=kept,
        directories=tuple(made),
        units=tuple(_kept_unit(host, *one) for one in intent.units),
        systemd_root=host.systemd_root,
        systemd_directories=units.directories(host.systemd_root),
        daemon_reload=intent.daemon_reload,
        nginx_reload=intent.nginx_reload,
        nginx_unit=activation.nginx_unit,
        nginx_was_valid=was_valid,
        order=journal.next_order(host.state),
        new_logs=shadow.missing_logs(intent.changes) if host.is_live else (),
        owner=_me(),
    )
    return state, {number: one.before for number, one in enumerate(intent.changes)}


def _me() -> dict[str, Any]:
    return {"pid": os.getpid(), "started": started(os.getpid())}


def _kept(one: Planned) -> Kept:
    return Kept(
        path=one.path,
        where=one.where,
        kind=one.before.kind,
        sha256=one.before.sha256,
        target=one.before.target,
        mode=one.before.mode,
        uid=one.before.uid,
        gid=one.before.gid,
        mtime_ns=one.before.mtime_ns,
        xattrs=one.before.xattrs,
        after_kind=one.after.kind,
        after=one.after.sha256 or one.after.target,
    )


def _kept_unit(host: Host, wish: UnitWish, state: Mapping[str, str], verb: str) -> KeptUnit:
    also = units.installed_with(state)
    return KeptUnit(
        name=wish.name,
        active=state.get("ActiveState", ""),
        start=bool(verb),
        links=units.enabling_links(wish.name, also, host.systemd_root),
        also=also,
        listening=units.sockets(int(state.get("MainPID") or 0)),
    )


def _stage(host: Host, state: Journal, before: dict[int, files.Look], step: Step) -> str:
    try:
        where = journal.create(host.state, state, before)
    except OSError as error:
        _leave(journal.directory(host.state, state.id))
        raise ChangeError(_os_sentence(error) + "; nothing was changed") from error
    step("snapshot")
    return where


def _leave(where: str) -> None:
    """Forget what was not begun; on a bad disk the next run does it, for nothing has changed."""
    with contextlib.suppress(OSError):
        journal.forget(where)


def _arm(where: str, state: Journal, step: Step) -> Journal:
    """Start the timer before anything changes. Until then leaving is only forgetting."""
    try:
        held = guard.arm(guard.write_program(where), state)
    except (ChangeError, OSError) as error:
        reason = error.sentence if isinstance(error, ChangeError) else _os_sentence(error)
        with contextlib.suppress(OSError):  # what stays does nothing without its program
            guard.disarm(state)
        _leave(where)
        raise ChangeError(reason + "; nothing was changed") from error
    step("timer")
    try:
        state = _journal_at(where, state, journal.ARMED, guard=held)
    except OSError as error:
        with contextlib.suppress(OSError):
            guard.disarm(state.at(journal.STAGED, guard=held))
        _leave(where)
        raise ChangeError(_os_sentence(error) + "; nothing was changed") from error
    step("armed")
    return state


def _arm_again(where: str, state: Journal) -> None:
    """Have the host finish what begins now, if we die on the way: until then it is confirmed.

    A host that cannot hold a timer now (a full disk) must be able to go back all the same.
    """
    held: Mapping[str, Any] = {}
    with contextlib.suppress(ChangeError, OSError):
        held = guard.arm(guard.write_program(where), state)
    with contextlib.suppress(OSError):  # the undo says so in its receipt
        journal.mark_untold(where)
        journal.save(where, state.at(journal.REVERTING, guard=held, owner=_me()))


def _swap(where: str, state: Journal, changes: Sequence[Planned], step: Step) -> Journal:
    """Write every new file aside first, so that a full disk is met before the first swap."""
    state = _journal_at(where, state, journal.SWAPPING)
    step("swapping")
    for path in state.directories:
        files.make_directory(path)
        step("directory made")
    for number, one in enumerate(changes):
        if one.after.kind != files.ABSENT:
            files.write_aside(one.after, journal.temporary(state, number))
            step(f"aside {number}")
    for number, one in enumerate(changes):
        if not install(one.after, journal.temporary(state, number), one.where, one.before):
            _journal_at(where, state, journal.SWAPPING, theirs=(number,))
            raise ChangeError(
                f"{one.path}: someone else changed it just now, and what they wrote stays"
            )
        step(f"swapped {number}")
    return state


def _bring_to_life(intent: Intent, activation: Activation, step: Step) -> dict[str, Any]:
    """Reload, enable, start; return once it is seen to run."""
    started_units: dict[str, tuple[str, ...]] = {}
    if intent.daemon_reload:
        units.command("daemon-reload")
        step("daemon-reload")
    for wish, state, verb in intent.units:
        if wish.enabled is not None and _enabled(state) != wish.enabled:
            units.command("enable" if wish.enabled else "disable", wish.name)
            step("enabled")
        if wish.reset_failed or (verb and state.get("ActiveState") == "failed"):
            units.forget_failure(wish.name)
        if verb:
            started_units[wish.name] = units.sockets(int(state.get("MainPID") or 0))
            units.start(wish.name, verb)
            step("started")
    for name, listening in started_units.items():
        units.wait_ready(name, listening)
    if intent.nginx_reload and intent.nginx_master is not None:
        # A restart of nginx among the units has read the files already; its pid is another.
        master = nginx.master(activation.nginx_unit)
        if master is None:
            raise ChangeError("nginx: its master is gone, must be running")
        logs = nginx.error_logs(master, nginx.installed(master))
        workers = nginx.reload(master, logs)
        step("reloaded")
        return {"workers_after": workers, "workers_leaving": list(nginx.staying(master))}
    return {"workers_after": list(nginx.serving(nginx.master(activation.nginx_unit)))}


def _settle_older(state_directory: str, step: Step = nothing) -> list[dict[str, Any]]:
    """Undo what an earlier run left half done; refuse while another run is proving its change."""
    receipts = []
    for where in journal.transactions(state_directory):
        state = journal.load(where)
        if state is None:
            journal.forget(where)  # died before its journal: nothing had been changed
            continue
        if state.phase in journal.ENDED:
            if journal.read_receipt(where) is None:  # died between journal and receipt
                guard.disarm(state)
                ended = journal.receipt(
                    where, state.phase, "recovery", "ended before it could say so"
                )
                journal.write_receipt(where, ended)
            continue
        if state.phase == journal.ACTIVATED and guard.armed(state.guard):
            left = guard.seconds_left(state.guard)
            raise ChangeError(
                f"change {state.id}: another run is proving it, "
                f"must be confirmed or reverted first; the host reverts it in {left:.0f} s",
                open=state.id,
            )
        receipts.append(
            undo(where, "recovery", "an earlier run ended before its change was confirmed", step)
        )
    return receipts


def _tell(state_directory: str) -> list[dict[str, Any]]:
    """What the host undid by itself since the last run; each is told once."""
    told = journal.untold(state_directory)
    for receipt in told:
        journal.mark_told(os.path.join(state_directory, receipt["id"]))
    return told


def _refuse_later_changes(state: Journal) -> None:
    for path in _changed_since(state):
        raise ChangeError(
            f"{path}: changed after change {state.id}, must be as that left it to go back",
            undone=None,
        )


def _changed_since(state: Journal) -> list[str]:
    """Paths that are not as the change left them."""
    return [kept.path for kept in state.kept if not as_left(files.look(kept.where), kept)]


def _existing(host: Host, identity: str) -> str:
    where = journal.directory(host.state, identity)
    if not os.path.isdir(where):
        raise ChangeError(f"change {identity}: unknown on this host", undone=None)
    return where


def _journal(where: str) -> Journal:
    state = journal.load(where)
    if state is None:
        raise ChangeError(f"{where}: has no journal, nothing was changed")
    return state


def _journal_at(where: str, state: Journal, phase: str, **changes: Any) -> Journal:
    """Write how far we are before going on."""
    state = state.at(phase, **changes)
    journal.save(where, state)
    return state


def _os_sentence(error: OSError) -> str:
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        source, _, why = error.args[0][0]  # a copy of a tree: the first file says enough
        return f"{source}: {why}"
    return "{}: {}".format(error.filename2 or error.filename or "host", error.strerror)


def _timed(result: dict[str, Any], begun: float) -> dict[str, Any]:
    return dict(result, seconds=round(time.monotonic() - begun, 3))


def _yes(value: bool) -> str:
    return "yes" if value else "no"
