"""Probe an endpoint from the controller: one stream, or a message sent and seen delivered."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from ssemedic.assignment import AssignmentError, assignment_of
    from ssemedic.probe import outside
    from ssemedic.probe.message import send_and_watch
except ImportError as error:
    raise AnsibleActionFail(
        f"the Python that runs Ansible cannot import ssemedic ({error.name}): "
        "run `pip install -e .` in the project with that Python, or `make setup`"
    ) from error


class ActionModule(ActionBase):  # type: ignore[misc]
    """The outside probe as a task."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Record the stream (``stream``); with ``message: true``, send one and watch for it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            assignment = assignment_of(self._task.args)
        except AssignmentError as error:
            raise AnsibleActionFail(str(error)) from error
        if assignment is None:
            raise AnsibleActionFail("endpoint: no url, must be the URL that the browser opens")
        public = assignment.outside()[0]
        result["changed"] = False
        if not self._task.args.get("message"):
            result["stream"] = outside.record(public).to_dict()
        elif assignment.endpoint.message and assignment.endpoint.message.path:
            result["message"] = send_and_watch(public, assignment.endpoint.message)
        return result
