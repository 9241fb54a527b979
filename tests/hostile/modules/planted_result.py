#!/usr/bin/python
"""Ansible module for tests: answers what a file says, as a hostile host's module could."""

from __future__ import annotations

import json
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: planted_result
short_description: Answer what a file says
description: For tests. Answers the JSON object that a file holds.
options:
  path:
    description: The file.
    type: str
    required: true
author: ssemedic
"""


def main():
    module = AnsibleModule({"path": {"type": "str", "required": True}}, supports_check_mode=True)
    answer = json.loads(Path(module.params["path"]).read_text("utf-8"))
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
