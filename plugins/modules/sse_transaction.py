#!/usr/bin/python
# Copyright: the ssemedic authors. MIT License.
"""Change files and services in one transaction that the host undoes unless it is confirmed."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sse_transaction
short_description: Change files and services, and undo it unless confirmed
description:
  - Checks a set of changes in a shadow of the host's configuration, arms a timer on the host
    that undoes them, swaps the files atomically and reloads or restarts what reads them.
  - A change that fails on the way is undone at once. One that nobody confirms with
    I(state=committed) is undone by the host itself, also if the controller is gone.
  - Old bytes, modes, owners and links are kept below /var/lib/ssemedic, for root alone.
options:
  state:
    description:
      - V(activated) makes the changes and leaves the timer armed.
      - V(committed) confirms them and stops the timer.
      - V(reverted) puts everything back, from an open or a confirmed change.
      - V(recovered) undoes what an earlier run left half done, and tells what the host undid by
        itself. A change that another run is proving now is refused.
      - V(described) tells of one change what it put in the place of what.
      - V(status) lists what was done here, and what the host undid by itself.
    type: str
    choices: [activated, committed, reverted, recovered, described, status]
    required: true
  changes:
    description: The paths to change.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path. A link there stays; the file it leads to is changed.
        type: str
        required: true
      kind:
        description: What is to be there.
        type: str
        choices: [file, link, absent]
        default: file
      content:
        description: The new text.
        type: str
      content_b64:
        description: The new bytes in base64, in place of O(changes[].content).
        type: str
      target:
        description: Where the link leads.
        type: str
      mode:
        description: Octal, as "0644". That of the file, or "0644" for a new one.
        type: str
      owner:
        description: Name or number. That of the file, or root for a new one.
        type: str
      group:
        description: Name or number. That of the file, or root for a new one.
        type: str
      expected_sha256:
        description:
          - What the plan saw there. The empty string means that nothing may be there. Without
            it nothing is compared.
        type: str
  activation:
    description: What makes the new files count.
    type: dict
    default: {}
    suboptions:
      nginx:
        description: Reload nginx if its configuration changes or is newer than its workers.
        type: dict
        suboptions:
          reload:
            description: Whether to.
            type: bool
            default: false
          always:
            description: Reload even if nothing changed, so that nginx resolves names anew.
            type: bool
            default: false
          unit:
            description: The unit whose main process is nginx.
            type: str
            default: nginx.service
      units:
        description: systemd units to enable or start, in this order, before nginx.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Its name.
            type: str
            required: true
          daemon_reload:
            description: Let systemd read its unit files again if they changed.
            type: bool
            default: false
          enabled:
            description: Whether it is to start at boot. Left alone without a value.
            type: bool
          state:
            description:
              - V(started) starts it if it does not run.
              - V(restarted) starts it too, and restarts it if one of its unit files changes
                or has changed since it was started.
            type: str
            choices: [started, restarted, unchanged]
            default: unchanged
          always:
            description: Restart it even if none of its files changed, because it hangs.
            type: bool
            default: false
          reset_failed:
            description: Lift a start limit before.
            type: bool
            default: false
  window:
    description: Seconds after which the host undoes an unconfirmed change by itself.
    type: int
    default: 180
  id:
    description: Name of the change. Made up for a new one.
    type: str
  force:
    description: Go back from a confirmed change even if its files were changed since.
    type: bool
    default: false
author: ssemedic
"""

EXAMPLES = r"""
- name: Raise the limit of open files
  sse_transaction:
    state: activated
    changes:
      - path: /etc/systemd/system/notify.service.d/zz-ssemedic.conf
        content: |
          [Service]
          LimitNOFILE=65536
        expected_sha256: ""
    activation:
      units: [{name: notify.service, daemon_reload: true, state: restarted}]
  register: change

- name: Confirm the change
  sse_transaction:
    state: committed
    id: "{{ change.id }}"
  when: change.changed and not ansible_check_mode
"""

RETURN = r"""
id:
  description: Name of the change.
  type: str
  returned: activated, committed, reverted
diff:
  description: One entry for each path and unit that differs.
  type: list
  returned: activated, described
validated:
  description: What was checked before anything changed.
  type: list
  returned: activated
not_validated:
  description: Why nothing was checked. In check mode a user who is not root gets the diff alone.
  type: str
  returned: activated in check mode, without root rights
workers_before:
  description: nginx workers that accepted connections before.
  type: list
  returned: activated
workers_after:
  description: nginx workers that accept connections now.
  type: list
  returned: activated
also_activates:
  description: Files changed by others since nginx's workers began; the reload activates them too.
  type: list
  returned: activated
recovered:
  description: Receipts of earlier changes that were left half done and are undone now.
  type: list
  returned: activated, recovered
undone_by_host:
  description: Receipts of changes that the host undid by itself and nobody was told of.
  type: list
  returned: activated, recovered, status
receipt:
  description: How the change ended, by whom (run, timer, boot, recovery) and when.
  type: dict
  returned: committed, reverted
transactions:
  description: All changes that are remembered, the oldest first.
  type: list
  returned: status
changed_since:
  description: Paths that others have changed since the change.
  type: list
  returned: described, committed
unfinished:
  description: Id of the change that is not confirmed or undone.
  type: str
  returned: status
drift:
  description:
    - Files that are not what the plan saw, each with C(path), C(expected) and C(found) (sha256),
      C(now) (the text that is there) and C(wanted) (the text of the plan).
  type: list
  returned: refused for that reason
workers_leaving:
  description: nginx workers that only go on with the streams that were open before the reload.
  type: list
  returned: activated
streams:
  description:
    - Who is connected to what is reloaded or restarted. Each with the unit C(of), the place C(at),
      how many are C(open), what they C(will) do (stay in nginx's old workers, C(until) their
      shutdown timeout if there is one, or drop) and, after the change, how many it C(kept).
  type: list
  returned: activated
undone:
  description: Whether the host is as it was; false if putting it back failed too.
  type: bool
  returned: failure
seconds:
  description: How long it took.
  type: float
  returned: activated
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.sse_change.change import activation, planned  # noqa: E402
from ansible.module_utils.sse_change.errors import ChangeError  # noqa: E402
from ansible.module_utils.sse_change.transaction import (  # noqa: E402
    Host,
    activate,
    commit,
    describe,
    recovered,
    revert,
    status,
)
from ansible.module_utils.sse_change.utf8 import sendable  # noqa: E402

CHANGE = {
    "path": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["file", "link", "absent"], "default": "file"},
    "content": {"type": "str"},
    "content_b64": {"type": "str"},
    "target": {"type": "str"},
    "mode": {"type": "str"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "expected_sha256": {"type": "str"},
}
UNIT = {
    "name": {"type": "str", "required": True},
    "daemon_reload": {"type": "bool", "default": False},
    "enabled": {"type": "bool"},
    "state": {
        "type": "str",
        "choices": ["started", "restarted", "unchanged"],
        "default": "unchanged",
    },
    "always": {"type": "bool", "default": False},
    "reset_failed": {"type": "bool", "default": False},
}
NGINX = {
    "reload": {"type": "bool", "default": False},
    "always": {"type": "bool", "default": False},
    "unit": {"type": "str", "default": "nginx.service"},
}
ACTIVATION = {
    "nginx": {"type": "dict", "options": NGINX},
    "units": {"type": "list", "elements": "dict", "default": [], "options": UNIT},
}
PARAMETERS = {
    "state": {
        "type": "str",
        "choices": ["activated", "committed", "reverted", "recovered", "described", "status"],
        "required": True,
    },
    "changes": {"type": "list", "elements": "dict", "default": [], "options": CHANGE},
    "activation": {"type": "dict", "default": {}, "options": ACTIVATION},
    "window": {"type": "int", "default": 180},
    "id": {"type": "str"},
    "force": {"type": "bool", "default": False},
}


class Module(AnsibleModule):
    """An Ansible module that does not copy its parameters into the host's journal."""

    def _log_invocation(self):
        """Configuration files may hold passwords: their content is nobody else's business."""


def main():
    module = Module(
        argument_spec=PARAMETERS,
        required_if=[("state", state, ["id"]) for state in ("committed", "reverted", "described")],
        supports_check_mode=True,
    )
    try:
        result = perform(module.params, module.check_mode)
    except ChangeError as error:
        module.fail_json(**sendable(dict(error.facts, msg=error.sentence, undone=error.undone)))
    except OSError as error:
        said = "%s: %s" % (error.filename or "host", error.strerror)
        module.fail_json(msg=sendable(said), undone=None)
    module.exit_json(**sendable(result))


def perform(given, check):
    host = Host()
    if given["state"] == "status":
        return status(host)
    if given["state"] == "recovered":
        return recovered(host, check)
    if given["state"] == "described":
        return describe(host, given["id"])
    if given["state"] == "activated":
        if not 1 <= given["window"] <= 86400:
            raise ChangeError("window: observed %d s, must be 1 to 86400" % given["window"])
        return activate(
            host,
            planned(given["changes"]),
            activation(given["activation"]),
            given["window"],
            given["id"],
            check,
        )
    if check:
        return {"changed": True, "id": given["id"]}
    if given["state"] == "committed":
        return commit(host, given["id"])
    return revert(host, given["id"], given["force"])


if __name__ == "__main__":
    main()
