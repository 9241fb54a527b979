"""The command line: arguments, confirmation, exit codes."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ssemedic import __version__
from ssemedic.assignment import WINDOW, AssignmentError, assignment_of
from ssemedic.commands import (
    analyze_arguments,
    bundle_arguments,
    diff_arguments,
    form,
    form_arguments,
    history_arguments,
    page_arguments,
    probe_arguments,
    sudoers_arguments,
    target,
)
from ssemedic.commands.output import RefusedError, UsageError
from ssemedic.report.clean import clean

if TYPE_CHECKING:
    from ssemedic.report.model import Report

EXIT_CODES = """exit codes:
  0  healthy, or repaired and proven
  1  causes remain: nothing was changed, or what is left needs a person
  2  usage or configuration error
  3  host unreachable, or the cause is unknown
  4  the change was refused, failed or was not proven: the host is as it was
  5  the undo failed: look at the host now
"""
#: One cause may hide a second, and that a third; more would be guessing.
MOST_LOOKS = 3
LOOKING = "Looking at"
BEGUN = "; what was begun there, the host undoes by itself within three minutes"
UNREACHABLE = 3
USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = _parser().parse_args(argv)
    console = Console(stderr=False, highlight=False, soft_wrap=False)
    try:
        return int(arguments.command(arguments, console))
    except (UsageError, AssignmentError, RefusedError) as error:
        _complain(str(error))
        if form.is_check(arguments):
            return form.failed_check(str(error))
        return error.code if isinstance(error, RefusedError) else USAGE
    except KeyboardInterrupt:
        _complain("interrupted; a change that was begun is undone by the host itself")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ssemedic",
        description="Find out why an event stream is broken, repair its host, prove the repair.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ssemedic {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    diagnose = _command(commands, "diagnose", "find the cause; change nothing", _diagnose)
    _host_arguments(diagnose)
    form_arguments.add_arguments(diagnose, check=True)

    remediate = _command(commands, "remediate", "find the cause, repair, prove", _remediate)
    _host_arguments(remediate)
    form_arguments.add_arguments(remediate, check=False)
    remediate.add_argument(
        "--check", action="store_true", help="show the plan as a diff and change nothing"
    )
    remediate.add_argument("--yes", action="store_true", help="apply the plan without asking")
    remediate.add_argument(
        "--mask-log",
        action="store_true",
        help="give the stream an access log without tokens, where nginx writes them down",
    )

    probe_arguments.add_arguments(_command(commands, "probe", "watch one event stream", _probe))

    page_arguments.add_arguments(
        _command(commands, "page", "diagnose a stream in a browser, by a page", _page)
    )

    told = _command(commands, "history", "list what was changed on a host", _history)
    history_arguments.add_arguments(told)
    one = _command(commands, "show", "tell what one change put in the place of what", _show)
    history_arguments.add_arguments(one, change=True)
    back = _command(commands, "rollback", "put back what a change replaced", _rollback)
    history_arguments.add_rollback_arguments(back)
    mended = _command(commands, "recover", "finish what a run left half done", _recover)
    history_arguments.add_arguments(mended)

    rights = _command(commands, "sudoers", "print the least rights that a mode needs", _sudoers)
    sudoers_arguments.add_arguments(rights)

    analyze_arguments.add_arguments(
        _command(commands, "analyze", "judge what somebody sent, with no host", _analyze)
    )

    bundled = _command(commands, "bundle", "put a diagnosis into one file to hand over", _bundle)
    bundle_arguments.add_arguments(bundled)

    compared = _command(commands, "diff", "compare two reports: gone, new, unchanged", _diff)
    diff_arguments.add_arguments(compared)

    _command(commands, "rules", "list the causes that are known", _rules)
    explain = _command(commands, "explain", "explain one cause, or find it by a symptom", _explain)
    explain.add_argument(
        "rule",
        nargs="+",
        metavar="RULE",
        help="its id, as `ssemedic rules` lists it; or what you see, as `stays pending`",
    )
    return parser


def _command(commands: Any, name: str, text: str, function: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=function)
    return parser


def _host_arguments(parser: argparse.ArgumentParser) -> None:
    target.add_fleet_arguments(parser)
    parser.add_argument("--url", help="the URL that the browser opens, without the token")
    parser.add_argument(
        "--token-file", type=Path, help="a file (mode 0600) that holds the access token"
    )
    parser.add_argument(
        "--for",
        dest="window",
        type=float,
        default=WINDOW,
        metavar="SECONDS",
        help="how long each stream is watched (default: %(default)s)",
    )
    parser.add_argument(
        "--canary",
        action="store_true",
        help="send the endpoint's test message and see where on its way it is lost",
    )
    parser.add_argument(
        "--browser", action="store_true", help="open the stream in a real Chromium here, too"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="name what was cleared, too")


def _diagnose(arguments: argparse.Namespace, console: Console) -> int:
    from ssemedic.report import terminal
    from ssemedic.report.forms.nagios import state
    from ssemedic.report.model import exit_code

    if target.is_fleet(arguments):
        from ssemedic.commands import fleet

        return fleet.diagnose(arguments, console, _variables(arguments))
    console = form.console_for(arguments, console)
    found = _look(arguments, console, {})
    if isinstance(found, int):
        check = form.is_check(arguments)
        return form.failed_check(f"{arguments.host}: no URL was given") if check else found
    if found["plan"] and not found["plan"]["empty"]:
        terminal.render_plan(found, console)
    form.write_files(arguments, found)
    form.write_stdout(arguments, found)
    return int(state(found)) if form.is_check(arguments) else exit_code(found)


def _remediate(arguments: argparse.Namespace, console: Console) -> int:
    if target.is_fleet(arguments):
        from ssemedic.commands import fleet

        return fleet.remediate(arguments, console, _variables(arguments))
    console = form.console_for(arguments, console)
    with tempfile.TemporaryDirectory(prefix="ssemedic-") as private:
        revealed = Path(private, "revealed.json")
        for look in range(1, MOST_LOOKS + 1):
            code, again, report = _repair(arguments, console, Path(private), revealed)
            if not again or look == MOST_LOOKS:
                break
            console.print("\nOne cause hid another. Looking again, to plan for both.\n")
    if report:
        form.write_stdout(arguments, report)
    return code


def _repair(
    arguments: argparse.Namespace, console: Console, private: Path, revealed: Path
) -> tuple[int, bool, Report | None]:
    """One look, plan, change and proof: its exit code, whether a hidden cause calls for more,
    and the report.

    ``revealed`` holds the causes that the change before brought to light; this one adds its own.
    """
    from ssemedic.report import terminal
    from ssemedic.report.model import exit_code

    # The plan as it will be applied; what is shown and written has its secrets masked.
    plan_file = private / "plan.json"
    known = {"sse_revealed_file": str(revealed)} if revealed.exists() else {}
    found = _look(arguments, console, {"sse_plan_file": str(plan_file), **known})
    if isinstance(found, int):
        return found, False, None
    form.write_files(arguments, found)
    if found["plan"]:
        terminal.render_plan(found, console)
    if not found["plan"] or found["plan"]["empty"] or arguments.check:
        return exit_code(found), False, found
    if not arguments.yes and not _confirmed(found, console):
        console.print("Nothing was changed.")
        return exit_code(found), False, found
    fresh = private / "fresh.json"
    approved = {"sse_approved_report": str(plan_file), "sse_revealed_file": str(fresh)}
    answer = _run("playbooks/apply.yml", arguments, approved, "Repairing")
    done: Report = answer["report"]
    terminal.render_changes(done, console)
    terminal.render_proof(done, console)
    terminal.render_verdict(done, console)
    form.write_files(arguments, done)
    again = done["changes"]["outcome"] == "undone" and _add(revealed, fresh)
    return exit_code(done), again, done


def _add(revealed: Path, fresh: Path) -> bool:
    """Add the causes that a change brought to light; True if one of them can be remedied."""
    new = json.loads(fresh.read_text("utf-8")) if fresh.exists() else []
    remediable = [cause for cause in new if cause["remedy"]]
    old = json.loads(revealed.read_text("utf-8")) if revealed.exists() else []
    revealed.write_text(json.dumps(old + remediable), "utf-8")
    return bool(remediable)


def _look(arguments: argparse.Namespace, console: Console, more: dict[str, str]) -> Report | int:
    """The diagnosis, shown; or the exit code where nobody said of what."""
    from ssemedic.report import terminal

    with tempfile.TemporaryDirectory(prefix="ssemedic-") as private:
        seen = Path(private, "evidence.json")
        if getattr(arguments, "report", None):
            more = {"sse_evidence_file": str(seen), **more}
        answer = _run("playbooks/diagnose.yml", arguments, more, LOOKING)
        if seen.exists():
            form.write_evidence(arguments, seen)
    if "report" not in answer:
        terminal.render_candidates(arguments.host, answer.get("candidates") or [], console)
        return USAGE
    report: Report = answer["report"]
    terminal.render_verdict(report, console)
    terminal.render_diagnosis(report, console, verbose=arguments.verbose)
    return report


def _run(
    playbook: str, arguments: argparse.Namespace, more: dict[str, Any], doing: str
) -> dict[str, Any]:
    """One playbook on one host: what its last task reported. Raises `RefusedError`."""
    from ssemedic import runner  # ansible_runner takes its time to import

    variables = {**_variables(arguments), **more}
    # What judges and shows takes a while to import: that goes on while Ansible starts.
    threading.Thread(
        target=importlib.import_module, args=("ssemedic.report.terminal",), daemon=True
    ).start()
    status = Console(stderr=True, highlight=False)
    with status.status(f"{doing} {arguments.host} ...") as line:
        try:
            outcome = runner.run(
                playbook,
                target.inventories_of(arguments),
                variables,
                lambda host, task: line.update(f"{host}: {task}"),
            )
        except runner.RunError as error:
            if doing == LOOKING:
                raise UsageError(str(error)) from error
            said = f"{arguments.host}: the run broke off: {error}{BEGUN}"
            raise RefusedError(said, UNREACHABLE) from error
    host = arguments.host
    if host in outcome.reported:
        return outcome.reported[host]
    if host in outcome.unreachable:
        begun = "" if doing == LOOKING else BEGUN
        said = f"{host}: cannot be reached: {outcome.unreachable[host]}{begun}"
        raise RefusedError(said, UNREACHABLE)
    said = f"{host}: {outcome.failed.get(host, 'the run ended without a report')}"
    raise RefusedError(said, UNREACHABLE)


def _variables(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the operator said, as variables; raises before anything runs if it cannot be used."""
    if not 1 <= arguments.window <= 600:
        raise UsageError(f"--for: is {arguments.window:g}, must be 1 to 600 seconds")
    endpoint: dict[str, Any] = {}
    if arguments.url:
        endpoint["url"] = arguments.url
    if getattr(arguments, "mask_log", False):
        endpoint["mask_access_log"] = True
    if getattr(arguments, "canary", False):
        endpoint["canary"] = True
    if arguments.token_file:
        endpoint["token_file"] = str(arguments.token_file.expanduser().resolve())
        if re.search(r"\{[{%#]", endpoint["token_file"]):
            raise UsageError("--token-file: the path looks like a template, must be a plain path")
    if arguments.url:
        checked = assignment_of({"endpoint": endpoint})
        if checked and checked.token and not arguments.token_file:
            raise UsageError(
                "--url: carries a token, which every process list shows; "
                "put it into a file (mode 0600) and name it with --token-file"
            )
    elif arguments.token_file:
        from ssemedic.token import TokenError, read_token

        try:
            read_token(Path(endpoint["token_file"]))
        except TokenError as error:
            raise UsageError(str(error)) from error
    return {
        "sse_hosts": target.hosts_of(arguments)
        if isinstance(arguments.host, list)
        else target.host_of(arguments),
        "sse_endpoint_override": endpoint,
        "sse_evidence_window": arguments.window,
        "sse_report_show": False,
        **({"sse_evidence_browser": True} if arguments.browser else {}),
    }


def _confirmed(report: Report, console: Console) -> bool:
    if not sys.stdin.isatty():
        console.print("Not a terminal, so nobody can be asked; --yes applies the plan.")
        return False
    answer = console.input(f"Apply this to {report['host']}? [y/N] ", markup=False)
    return answer.strip().lower() in ("y", "yes")


def _probe(arguments: argparse.Namespace, console: Console) -> int:
    from ssemedic.commands import probe  # the recorder takes its time to import

    del console  # a probe may write its report where people read
    return probe.run(arguments)


def _page(arguments: argparse.Namespace, console: Console) -> int:
    from ssemedic.commands import page

    return page.run(arguments, console)


def _history(arguments: argparse.Namespace, console: Console) -> int:
    from ssemedic.commands import history

    return history.history(arguments, console)


def _show(arguments: argparse.Namespace, console: Console) -> int:
    from ssemedic.commands import history

    return history.show(arguments, console)


def _rollback(arguments: argparse.Namespace, console: Console) -> int:
    from ssemedic.commands import history

    return history.rollback(arguments, console)


def _recover(arguments: argparse.Namespace, console: Console) -> int:
    from ssemedic.commands import history

    return history.recover(arguments, console)


def _sudoers(arguments: argparse.Namespace, console: Console) -> int:
    from ssemedic.commands import sudoers

    del console  # files for other programs to read
    return sudoers.run(arguments)


def _analyze(arguments: argparse.Namespace, console: Console) -> int:
    from ssemedic.commands import analyze  # the rules take their time to import

    return analyze.run(arguments, console)


def _bundle(arguments: argparse.Namespace, console: Console) -> int:
    from ssemedic.commands import bundle

    return bundle.run(arguments, console, _look)


def _diff(arguments: argparse.Namespace, console: Console) -> int:
    from ssemedic.commands import diff

    return diff.run(arguments, console)


def _rules(arguments: argparse.Namespace, console: Console) -> int:
    from ssemedic.rules import all_rules

    del arguments
    for rule in all_rules():
        console.print(f"{rule.id:<28} {rule.layer:<9} {rule.title}", soft_wrap=True)
    return 0


def _explain(arguments: argparse.Namespace, console: Console) -> int:
    from ssemedic.explain.parts import by_frequency, explanation
    from ssemedic.explain.show import answer, lines_of
    from ssemedic.rules import all_rules

    asked = " ".join(arguments.rule)
    rule = next((r for r in all_rules() if r.id == asked.replace("-", "_")), None)
    lines = list(lines_of(explanation(rule)) if rule else answer(asked, by_frequency(all_rules())))
    if not lines:
        raise UsageError(
            f"{asked}: is no rule and fits no symptom; `ssemedic rules` lists the rules"
        )
    for line in lines:
        console.print(line, markup=False, soft_wrap=rule is None)
    return 0


def _complain(sentence: str) -> None:
    Console(stderr=True, highlight=False).print(
        f"ssemedic: {clean(sentence)}", markup=False, soft_wrap=True
    )
