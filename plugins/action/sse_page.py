"""Say what nginx on a host needs to serve the diagnosis page; changes nothing."""

from __future__ import annotations

import json
import secrets
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from ssemedic.assignment import AssignmentError, assignment_of
    from ssemedic.evidence import Evidence, EvidenceError
    from ssemedic.page.host import LONGEST_MINUTES, NoPlaceError, as_changes, publish
except ImportError as error:
    raise AnsibleActionFail(
        f"the Python that runs Ansible cannot import ssemedic ({error.name}): "
        "run `pip install -e .` in the project with that Python, or `make setup`"
    ) from error


class ActionModule(ActionBase):  # type: ignore[misc]
    """Where the page goes: ``path``, ``url``, and with ``configuration`` the ``changes``."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return ``path``, ``url``, ``token``; with ``configuration``, ``changes`` as well."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given: dict[str, Any] = json.loads(json.dumps(dict(self._task.args)))
        minutes = int(given.get("minutes") or 30)
        if not 1 <= minutes <= LONGEST_MINUTES:
            raise AnsibleActionFail(f"minutes: is {minutes}, must be 1 to {LONGEST_MINUTES}")
        token = str(given.get("token") or secrets.token_urlsafe(24))
        try:
            assignment = assignment_of(given)
            if assignment is None:
                raise AnsibleActionFail("endpoint: no url, must be the URL that the browser opens")
            evidence = Evidence.from_dict(given.get("evidence") or {})
            page = publish(evidence, assignment.endpoint.url, str(given.get("path") or ""), token)
        except (AssignmentError, EvidenceError, NoPlaceError) as error:
            raise AnsibleActionFail(str(error)) from error
        result.update(changed=False, path=page.path, url=page.url, token=token)
        if given.get("configuration"):
            result["changes"] = as_changes(page, str(given["configuration"]))
        return result
