#!/usr/bin/python
"""Ansible module: what must change so that nginx's limits fit a number of streams."""

from __future__ import annotations

import sys
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.sse_host.capacity import plan
from ansible.module_utils.sse_host.limits import Limits, UnavailableError

DOCUMENTATION = r"""
---
module: sse_nginx_capacity
short_description: Find the edits that let nginx hold a number of streams
description:
  - Reads nginx's version, its configuration and the limits of its unit, and returns the changes
    that C(sse_transaction) is to make. Changes nothing.
  - Each worker gets room for all streams. A value that is high enough stays as it is.
version_added: "0.1.0"
author: The ssemedic authors (@ssemedic)
options:
  streams:
    description: How many streams are to be open at once; 0 asks for the version only.
    type: int
    default: 0
  unit:
    description: The systemd unit whose main process is nginx.
    type: str
    default: nginx.service
attributes:
  check_mode:
    description: Changes nothing in either mode.
    support: full
"""

EXAMPLES = r"""
- name: See what 2000 streams need
  sse_nginx_capacity:
    streams: 2000
  register: capacity
"""

RETURN = r"""
version:
  description: nginx's version.
  returned: always
  type: str
changes:
  description: Files as they must be, for C(sse_transaction).
  returned: always
  type: list
daemon_reload:
  description: Whether systemd must read its unit files again.
  returned: always
  type: bool
restart:
  description: Whether the limit of open files counts only after a restart of nginx.
  returned: always
  type: bool
connections:
  description: The connections that each worker needs; null without streams.
  returned: always
  type: int
files:
  description: The open files that each worker needs; null without streams.
  returned: always
  type: int
"""

_MOST = 500000  # two connections each are the kernel's limit of open files (fs.nr_open)


def main() -> None:
    """Look and answer."""
    module = AnsibleModule(
        {
            "streams": {"type": "int", "default": 0},
            "unit": {"type": "str", "default": "nginx.service"},
        },
        supports_check_mode=True,
    )
    streams = module.params["streams"]
    if not 0 <= streams <= _MOST:
        module.fail_json(msg="streams: is %d, must be 0 to %d" % (streams, _MOST))
    try:
        found = plan(streams, module.params["unit"], Limits(since=time.time()))
    except UnavailableError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    sys.exit(main())
