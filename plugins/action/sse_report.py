"""Complete the report, show it, and write it to a file of the controller."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from ssemedic.assignment import AssignmentError, assignment_of
    from ssemedic.report import terminal
    from ssemedic.report.clean import clean
    from ssemedic.report.finish import with_changes, with_preview
    from ssemedic.report.model import exit_code, revealed_by
    from ssemedic.report.redact import redact_report
    from ssemedic.report.words import verdict_sentence
except ImportError as error:
    raise AnsibleActionFail(
        f"the Python that runs Ansible cannot import ssemedic ({error.name}): "
        "run `pip install -e .` in the project with that Python, or `make setup`"
    ) from error


class ActionModule(ActionBase):  # type: ignore[misc]
    """The last task of a playbook: what a person and a program get."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return ``report``, ``code`` (the exit code it stands for) and ``sentence``."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given: dict[str, Any] = json.loads(json.dumps(dict(self._task.args), default=_day))
        if "report" not in given:
            return {**result, "changed": False, "candidates": given.get("candidates") or []}
        report = given["report"]
        if given.get("preview"):
            report = with_preview(report, given["preview"])
        if "changed" in given:
            report = with_changes(
                report,
                given["changed"],
                given.get("after") or {},
                given.get("committed") or {},
                given.get("reverted") or {},
                given.get("message"),
            )
        if given.get("plan_file"):
            # What will be applied must be whole; it never leaves this private file.
            _write(Path(given["plan_file"]), report)
        if given.get("revealed_file") and given.get("after"):
            _write(
                Path(given["revealed_file"]), revealed_by(given["report"], given["after"]["report"])
            )
        report = redact_report(report, _secrets(given))
        if given.get("file"):
            _write(Path(given["file"]), report)
        if given.get("show", True):
            self._display.display("\n".join(terminal.text(report)))
        result.update(
            changed=False,
            report=report,
            code=exit_code(report),
            # Ansible prints it where a repair is not proven, and escapes less than we do.
            sentence=clean(verdict_sentence(report)),
        )
        return result


def _day(value: Any) -> str:
    """YAML reads an unquoted day as a date; a waiver has one."""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _secrets(given: dict[str, Any]) -> tuple[str, ...]:
    """The token, so that the report is searched for it."""
    try:
        assignment = assignment_of(given)
    except AssignmentError as error:
        raise AnsibleActionFail(str(error)) from error
    return (assignment.token,) if assignment and assignment.token else ()


def _write(path: Path, report: Any) -> None:
    """Write the file for its owner alone, all or nothing."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(report, file, indent=2, ensure_ascii=True)
            file.write("\n")
        draft.replace(path)
    except OSError as error:
        raise AnsibleActionFail(f"report {path}: {error.strerror or error}") from error
