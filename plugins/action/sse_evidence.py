"""Collect a host's evidence and, at the same time, record its stream from here.

The module of the same name runs on the host; the outside probe runs beside it in a
thread of the controller. The token is read here and reaches the host as a no_log
parameter of the module alone.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from ssemedic.assignment import AssignmentError, assignment_of
    from ssemedic.evidence import encode
    from ssemedic.page.chromium import BrowserError
    from ssemedic.page.observe import observe
    from ssemedic.probe import outside
    from ssemedic.stream.record import Stream
except ImportError as error:
    raise AnsibleActionFail(
        f"the Python that runs Ansible cannot import ssemedic ({error.name}): "
        "run `pip install -e .` in the project with that Python, or `make setup`"
    ) from error

#: Parameters that the module takes as they are.
_PASSED = ("log_files", "since_minutes", "max_lines", "max_bytes", "brokers", "units", "window")


class ActionModule(ActionBase):  # type: ignore[misc]
    """The controller's half of ``sse_evidence``."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the module, record the outside streams beside it, and join both."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self._task.args
        try:
            assignment = assignment_of(arguments)
        except AssignmentError as error:
            raise AnsibleActionFail(str(error)) from error
        module = {name: arguments[name] for name in _PASSED if arguments.get(name) is not None}
        module["streams"] = assignment is not None
        if assignment is not None:
            endpoint = assignment.endpoint
            asked: dict[str, Any] = {
                "url": endpoint.url,
                "token": assignment.token,
                "token_parameter": endpoint.token_parameter,
                "origin": endpoint.origin,
                "upstream": endpoint.upstream,
                "unit": endpoint.unit,
            }
            if endpoint.canary:
                asked["canary"] = True
                asked["message"] = encode(endpoint.message) if endpoint.message else None
            module.update({name: value for name, value in asked.items() if value is not None})
        requests = assignment.outside() if assignment else ()
        with ThreadPoolExecutor(max_workers=len(requests) + 1) as threads:
            opened = None
            if requests and assignment and arguments.get("browser"):
                opened = threads.submit(observe, requests[0], assignment.endpoint.origin)
            streams: list[Future[Stream]] = [threads.submit(outside.record, r) for r in requests]
            answer = self._execute_module(
                module_name="sse_evidence", module_args=module, task_vars=task_vars
            )
            received = time.time()
            records = [future.result() for future in streams]
        result.update(answer)
        evidence = result.get("evidence")
        if isinstance(evidence, dict):
            evidence["host"] = (task_vars or {}).get("inventory_hostname", evidence.get("host"))
            evidence["streams"] = (evidence.get("streams") or []) + [r.to_dict() for r in records]
            _add_browser(evidence, opened)
            _compare_clocks(evidence, result.pop("host_clock", None), received)
        result["changed"] = False
        return result


def _add_browser(evidence: dict[str, Any], opened: Any) -> None:
    """Put what a browser saw beside it, or the reason why none was there."""
    if opened is None:
        evidence.setdefault("missing", {})["browser"] = "no browser was asked; --browser opens one"
        return
    try:
        stream, browser = opened.result()
    except BrowserError as error:
        evidence.setdefault("missing", {})["browser"] = f"browser: {error}"
        return
    evidence["streams"] = [*evidence["streams"], stream.to_dict()]
    evidence["browser"] = encode(browser)


def _compare_clocks(evidence: dict[str, Any], host_clock: float | None, received: float) -> None:
    """Put the host's clock beside ours: it said ``host_clock`` just before we heard it.

    The way back takes a fraction of a second; a busy machine may add some.
    """
    clock = evidence.get("clock")
    if isinstance(clock, dict) and host_clock is not None:
        clock["ahead"] = round(host_clock - received, 3)
        clock["ahead_error"] = 3.0
