"""`history`, `show`, `rollback` and `recover`: what was changed on a host, and the way back."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from ssemedic.commands import target
from ssemedic.commands.output import RefusedError, UsageError
from ssemedic.report import terminal
from ssemedic.report.page import BAD, GOOD, QUIET, STRONG, WARN, Page, page_on

NOTHING, UNREACHABLE, REFUSED, UNDO_FAILED = 1, 3, 4, 5

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_STYLES = {"committed": GOOD, "reverted": QUIET, "undo_failed": BAD}
_PHASES = {
    "committed": "in force",
    "reverted": "undone",
    "undo_failed": "THE UNDO FAILED",
    "activated": "open: being proven, or about to be undone by the host",
}

Data = Mapping[str, Any]


def history(arguments: argparse.Namespace, console: Console) -> int:
    """List the changes of a host, the last one first."""
    changes = _changes(arguments)
    page = page_on(console)
    if not changes:
        page.put(page.host(f"{arguments.host}: ssemedic has changed nothing here."))
        return NOTHING
    for number, one in enumerate(changes, 1):
        _line(page, number, one)
    return 0


def show(arguments: argparse.Namespace, console: Console) -> int:
    """Tell of one change what it put in the place of what."""
    page = page_on(console)
    chosen = _chosen(arguments, _changes(arguments))
    _describe(page, _ask(arguments, "playbooks/history.yml", {"sse_transaction_id": chosen}))
    return 0


def rollback(arguments: argparse.Namespace, console: Console) -> int:
    """Put back what a change replaced; the last one that is in force, unless one is named."""
    page = page_on(console)
    changes = _changes(arguments)
    if arguments.change is None:
        changes = [one for one in changes if one["phase"] != "reverted"]
        if not changes:
            page.put(page.host(f"{arguments.host}: there is no change to go back from."))
            return NOTHING
    chosen = _chosen(arguments, changes)
    told = _ask(arguments, "playbooks/history.yml", {"sse_transaction_id": chosen})
    if told["phase"] == "reverted":
        page.put(page.host(f"{arguments.host}: change {chosen} is undone already."))
        return 0
    _describe(page, told, back=True)
    page.blank()
    if told["changed_since"] and not arguments.force:
        named = ", ".join(told["changed_since"])
        raise RefusedError(
            f"{named}: changed by others after change {chosen}, so going back would lose that; "
            "nothing was changed. With --force theirs are kept aside on the host",
            REFUSED,
        )
    if not arguments.yes and not _confirmed(arguments, console):
        page.put(page.text("Nothing was changed."))
        return REFUSED
    back = {"sse_transaction_id": chosen, "sse_force": arguments.force}
    receipt = _ask(arguments, "playbooks/rollback.yml", back)["receipt"] or {}
    page.put(
        page.host(f"{arguments.host}: change {chosen} is undone, everything is as it was.", GOOD)
    )
    for path in receipt.get("put_aside") or ():
        page.put(page.host(f"what others had written is in {path}", WARN), 2)
    return 0


def recover(arguments: argparse.Namespace, console: Console) -> int:
    """Undo what a run that was cut off left half done; tell what the host undid by itself."""
    page = page_on(console)
    answer = _ask(arguments, "playbooks/recover.yml", {})
    for receipt in answer["undone_by_host"]:
        page.put(page.host(f"{arguments.host}: {_told(receipt)}", WARN))
    for receipt in answer["recovered"]:
        page.put(page.host(f"{arguments.host}: {_told(receipt)}", GOOD))
    if not answer["recovered"]:
        page.put(page.host(f"{arguments.host}: nothing is left half done."))
        return 0 if answer["undone_by_host"] else NOTHING
    return 0


def _told(receipt: Data) -> str:
    return f"change {receipt['id']} was undone{_by(receipt)} at {receipt['at']}"


def _changes(arguments: argparse.Namespace) -> list[Data]:
    """All that the host remembers, the last one first."""
    return list(reversed(_ask(arguments, "playbooks/history.yml", {})["transactions"]))


def _chosen(arguments: argparse.Namespace, changes: list[Data]) -> str:
    """The id of the change that was named by its number or id."""
    ids = [str(one["id"]) for one in changes]
    named = arguments.change or "1"
    if named in ids:
        return named
    if named.isdigit() and 1 <= int(named) <= len(ids):
        return ids[int(named) - 1]
    known = f"must be 1 to {len(ids)}, or an id" if ids else "and none was made here"
    raise UsageError(
        f"{arguments.host}: no change {named}, {known}; `ssemedic history --host "
        f"{arguments.host}` lists them"
    )


def _ask(arguments: argparse.Namespace, playbook: str, more: dict[str, Any]) -> dict[str, Any]:
    """What the host answers; raises `RefusedError` where it does not."""
    from ssemedic import runner  # ansible_runner takes its time to import

    host = target.host_of(arguments)
    identity = more.get("sse_transaction_id")
    if identity is not None and not _ID.match(identity):
        raise RefusedError(f"{host}: names a change {identity!r}, which is no id", REFUSED)
    inventories = target.inventories_of(arguments)
    with Console(stderr=True, highlight=False).status(f"Asking {host} ...") as line:
        try:
            outcome = runner.run(
                playbook,
                inventories,
                {"sse_hosts": host, **more},
                lambda _, task: line.update(f"{host}: {task}"),
                reporter="sse_transaction",
            )
        except runner.RunError as error:
            raise UsageError(str(error)) from error
    if host in outcome.unreachable:
        raise RefusedError(f"{host}: cannot be reached: {outcome.unreachable[host]}", UNREACHABLE)
    if host in outcome.failed or host not in outcome.reported:
        reason = outcome.failed.get(host, "the run ended without an answer")
        undone = outcome.results.get(host, {}).get("undone")
        raise RefusedError(f"{host}: {reason}", UNDO_FAILED if undone is False else REFUSED)
    return outcome.reported[host]


def _line(page: Page, number: int, one: Data) -> None:
    receipt = one["receipt"] or {}
    phase = str(one["phase"])
    page.put(
        page.join(
            page.text(f"{number:>3}  ", QUIET),
            page.host(_when(one["created"]), STRONG),
            page.host(f"  {one['id']}  "),
            page.host(_PHASES.get(phase, phase), _STYLES.get(phase, WARN)),
            page.host(_by(receipt), QUIET),
        )
    )
    for name in (*one["paths"], *one["units"]):
        page.put(page.host(name), 5)


def _by(receipt: Data) -> str:
    words = {
        "timer": " by the host itself, because nobody confirmed it",
        "boot": " by the host itself, when it was restarted",
        "recovery": " by a later run, which found it half done",
    }
    return words.get(str(receipt.get("by")), "")


def _describe(page: Page, told: Data, *, back: bool = False) -> None:
    phase = str(told["phase"])
    page.put(page.host(f"Change {told['id']} of {_when(told['created'])}", STRONG))
    page.put(page.host(_PHASES.get(phase, phase) + _by(told["receipt"] or {}), QUIET), 2)
    for name in told["units"]:
        page.put(page.host(f"unit {name}"), 2)
    diff = [_sides(one, back=back) for one in told["diff"]]
    terminal.render_diff(page, diff)
    for path in told["changed_since"]:
        page.put(page.host(f"{path}: others changed it since; the diff holds that too", WARN), 2)


def _sides(one: Data, *, back: bool) -> dict[str, str]:
    before, after = str(one["before"]), str(one["after"])
    path = str(one["after_header"] if after else one["before_header"])
    return {
        "path": path.split(" ", 1)[0],
        "before": after if back else before,
        "after": before if back else after,
    }


def _when(created: float | None) -> str:
    if created is None:
        return "time unknown"
    return datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _confirmed(arguments: argparse.Namespace, console: Console) -> bool:
    if not sys.stdin.isatty():
        console.print("Not a terminal, so nobody can be asked; --yes goes back.")
        return False
    answer = console.input(f"Put this back on {arguments.host}? [y/N] ", markup=False)
    return answer.strip().lower() in ("y", "yes")
