"""Judge evidence on the controller: evidence in, report and plan out.

With ``before``, the report of an earlier judgement, the result also holds the proof.
``approved`` loads a report that a person has seen instead. Changes nothing anywhere.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from ssemedic.assignment import AssignmentError, assignment_of
    from ssemedic.candidates import candidates
    from ssemedic.diagnosis import Cause
    from ssemedic.evidence import Evidence, EvidenceError
    from ssemedic.judge import judge
    from ssemedic.nginx import ConfigError
    from ssemedic.report.model import proof_of, report_of, revealed_cause
    from ssemedic.report.redact import withheld
except ImportError as error:
    raise AnsibleActionFail(
        f"the Python that runs Ansible cannot import ssemedic ({error.name}): "
        "run `pip install -e .` in the project with that Python, or `make setup`"
    ) from error


class ActionModule(ActionBase):  # type: ignore[misc]
    """The door from Ansible to `ssemedic.judge`."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Judge, and return ``report`` (and ``proof`` where ``before`` is given)."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self._task.args
        if arguments.get("approved"):
            return {**result, "changed": False, "report": _load(str(arguments["approved"]))}
        try:
            assignment = assignment_of(arguments)
            evidence = Evidence.from_dict(_plain(arguments.get("evidence")))
        except (AssignmentError, EvidenceError) as error:
            raise AnsibleActionFail(str(error)) from error
        if assignment is None:
            try:
                return {**result, "changed": False, "candidates": candidates(evidence)}
            except ConfigError as error:
                raise AnsibleActionFail(f"no url, and nginx: {error}") from error
        if arguments.get("evidence_file"):
            _keep(str(arguments["evidence_file"]), arguments.get("evidence"), assignment.token)
        also = _also(arguments.get("also"))
        judgement = judge(evidence, assignment.endpoint, assignment.judged_token, also)
        report = _plain(report_of(judgement))
        result.update(changed=False, report=report)
        if arguments.get("before"):
            result["proof"] = proof_of(_plain(arguments["before"]), report)
        return result


def _plain(data: Any) -> Any:
    """Through JSON, so that nothing but plain data passes from Ansible to the library."""
    return json.loads(json.dumps(data))


def _keep(path: str, evidence: Any, token: str | None) -> None:
    """Write what was seen, unmasked, for its owner alone: a bundle is masked where it is made."""
    kept = {"evidence": _plain(evidence), "secrets": [token] if token else []}
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(kept, file)
    except OSError as error:
        raise AnsibleActionFail(f"evidence {path}: {error.strerror or error}") from error


def _also(path: str | None) -> list[Cause]:
    """The causes that an earlier repair brought to light; none where there is no such file."""
    if not path:
        return []
    try:
        found = json.loads(Path(path).read_text("utf-8"))
        return [cause for item in found if (cause := revealed_cause(item)) is not None]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AnsibleActionFail(f"revealed causes {path}: {error}") from error


def _load(path: str) -> dict[str, Any]:
    """A report that a person has seen and approved."""
    try:
        report = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise AnsibleActionFail(f"approved report {path}: {error}") from error
    if not isinstance(report, dict) or "plan" not in report:
        raise AnsibleActionFail(f"approved report {path}: is not a report of ssemedic")
    masked = withheld(report["plan"])
    if masked:
        raise AnsibleActionFail(
            f"approved report {path}: {masked[0]} is masked in it, so it cannot be applied; "
            "diagnose again"
        )
    return report
