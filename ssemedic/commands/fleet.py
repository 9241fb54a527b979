"""`diagnose` and `remediate` over many hosts: all are looked at at once, changed one by one.

The first host is the canary. The first one whose repair is not proven ends the run: what was
changed there is undone, and the hosts after it are left alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from ssemedic.commands import form, target
from ssemedic.commands.output import UsageError
from ssemedic.report import terminal, words
from ssemedic.report.model import Report, exit_code
from ssemedic.report.page import BAD, GOOD, QUIET, STRONG, WARN, Page, page_on

UNREACHABLE, FAILED = 3, 4
#: The worst of many exit codes stands for all.
_WORST = (0, 1, 3, 4, 5)


@dataclass
class Fleet:
    """What is known of each host, in the order in which they are changed."""

    reports: dict[str, Report] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)  # host -> why there is no report
    left: list[str] = field(default_factory=list)  # planned for, and not begun


def diagnose(arguments: argparse.Namespace, console: Console, variables: Mapping[str, Any]) -> int:
    """Look at every host; change nothing."""
    _check(arguments)
    fleet = _look(arguments, console, variables)
    _summary(page_on(console), fleet)
    _write(arguments, fleet)
    return _code(fleet)


def remediate(arguments: argparse.Namespace, console: Console, variables: Mapping[str, Any]) -> int:
    """Look at every host, ask once, then repair and prove one after the other."""
    _check(arguments)
    page = page_on(console)
    with tempfile.TemporaryDirectory(prefix="ssemedic-") as private:
        # Extra variables are templates of Ansible's: one file for each host.
        plans = f"{private}/plan-{{{{ inventory_hostname }}}}.json"
        fleet = _look(arguments, console, {**variables, "sse_plan_file": plans})
        planned = [host for host, report in fleet.reports.items() if _has_plan(report)]
        for host in planned:
            page.head(host)
            terminal.render_plan(fleet.reports[host], console)
        if planned and not arguments.check and _confirmed(arguments, planned, console):
            _repair(arguments, console, fleet, planned, {**variables, "sse_approved_report": plans})
    page.blank()
    _summary(page, fleet)
    _write(arguments, fleet)
    return _code(fleet)


def _check(arguments: argparse.Namespace) -> None:
    one_file = [
        name
        for name, value in (("--json", arguments.json), ("-o", arguments.output))
        if value is not None
    ]
    if one_file or arguments.format != "terminal":
        said = one_file[0] if one_file else "--format"
        raise UsageError(f"{said}: is for one host; --report DIR writes a folder for each of many")
    if not 1 <= arguments.forks <= 200:
        raise UsageError(f"--forks: is {arguments.forks}, must be 1 to 200")


def _look(arguments: argparse.Namespace, console: Console, variables: Mapping[str, Any]) -> Fleet:
    outcome = _run(arguments, "playbooks/diagnose.yml", variables, "looking")
    fleet = Fleet()
    page = page_on(console)
    for host in outcome.order:
        if host in outcome.reported and "report" in outcome.reported[host]:
            fleet.reports[host] = outcome.reported[host]["report"]
            page.put(page.host(words.verdict_sentence(fleet.reports[host])))
        else:
            fleet.lost[host] = outcome.unreachable.get(host) or outcome.failed.get(
                host, "no URL was given for it"
            )
            page.put(page.host(f"{host}: {fleet.lost[host]}", BAD))
    return fleet


def _repair(
    arguments: argparse.Namespace,
    console: Console,
    fleet: Fleet,
    planned: Sequence[str],
    variables: Mapping[str, Any],
) -> None:
    page = page_on(console)
    asked = {**variables, "sse_hosts": ",".join(planned)}
    outcome = _run(arguments, "playbooks/apply.yml", asked, "repairing")
    for host in planned:
        if host in outcome.reported:
            fleet.reports[host] = outcome.reported[host]["report"]
            page.head(host)
            terminal.render_changes(fleet.reports[host], console)
            terminal.render_proof(fleet.reports[host], console)
        elif host in outcome.unreachable or host in outcome.failed:
            why = outcome.unreachable.get(host) or outcome.failed[host]
            fleet.lost[host] = f"{why}; what was begun there, the host undoes by itself"
        else:
            fleet.left.append(host)


def _run(
    arguments: argparse.Namespace, playbook: str, variables: Mapping[str, Any], doing: str
) -> Any:
    from ssemedic import runner  # ansible_runner takes its time to import

    screen = Console(stderr=True, highlight=False)
    done: set[str] = set()

    def ended(host: str) -> None:
        done.add(host)
        if not screen.is_terminal:  # a log gets a line for each host, a terminal one that moves
            screen.print(f"{host}: {doing} done ({len(done)})", markup=False)

    with screen.status(f"{doing} ...") as line:
        try:
            return runner.run(
                playbook,
                target.inventories_of(arguments),
                variables,
                lambda host, task: line.update(f"{len(done)} done; {host}: {task}"),
                ended=ended,
                forks=arguments.forks,
                limit=arguments.limit,
            )
        except runner.RunError as error:
            raise UsageError(str(error)) from error


def _has_plan(report: Report) -> bool:
    return bool(report["plan"]) and not report["plan"]["empty"]


def _confirmed(arguments: argparse.Namespace, planned: Sequence[str], console: Console) -> bool:
    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        console.print("Not a terminal, so nobody can be asked; --yes applies the plans.")
        return False
    asked = f"Apply this, {planned[0]} first, then {len(planned) - 1} more one by one? [y/N] "
    return console.input(asked, markup=False).strip().lower() in ("y", "yes")


def _summary(page: Page, fleet: Fleet) -> None:
    page.head("Summary")
    rows = []
    for host, report in fleet.reports.items():
        said, style = ("left as it was: the run ended before it", WARN)
        if host in fleet.lost:
            said, style = fleet.lost[host], BAD
        elif host not in fleet.left:
            code = exit_code(report)
            said = words.verdict_sentence(report).removeprefix(f"{host}: ")
            style = GOOD if code == 0 else BAD if code >= FAILED else WARN
        rows.append((page.host(host, STRONG), page.host(said, style)))
    rows += [
        (page.host(host, STRONG), page.host(why, BAD))
        for host, why in fleet.lost.items()
        if host not in fleet.reports
    ]
    page.rows(rows)
    counted = len(fleet.reports) + len([h for h in fleet.lost if h not in fleet.reports])
    page.put(page.text(f"{counted} hosts, {len(fleet.left)} left alone", QUIET), 2)


def _write(arguments: argparse.Namespace, fleet: Fleet) -> None:
    folder = arguments.report
    if folder is None:
        return
    for host, report in fleet.reports.items():
        arguments.report = Path(folder, target.checked_name(host))
        form.write_files(arguments, report)
    arguments.report = folder


def _code(fleet: Fleet) -> int:
    codes = {exit_code(report) for host, report in fleet.reports.items() if host not in fleet.lost}
    codes |= {UNREACHABLE} if fleet.lost else set()
    return max(codes, key=_WORST.index, default=UNREACHABLE)
