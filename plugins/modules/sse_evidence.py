#!/usr/bin/python
"""Ansible module: everything about one event-stream endpoint on this host, in one round trip."""

from __future__ import annotations

import sys
import time
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.sse_change.utf8 import sendable
from ansible.module_utils.sse_host.collect import collect
from ansible.module_utils.sse_host.limits import Limits
from ansible.module_utils.sse_host.wanted import PATTERNS, Wanted

DOCUMENTATION = r"""
---
module: sse_evidence
short_description: Collect what is needed to judge an event-stream endpoint
description:
  - Reads the way of an event on one host in a single round trip - the nginx configuration,
    the units, processes, sockets and logs that matter, brokers, resources and the clock -
    and records the stream at the application's socket and at nginx on loopback.
  - Changes nothing, and never fails as a whole. A source that cannot be read is named in
    C(evidence.missing) with the reason.
  - Without root it returns less; C(evidence.missing) says what root would add.
  - Tokens, passwords and the like are taken out of all text before it leaves the host.
    The nginx configuration is returned byte for byte.
version_added: "0.1.0"
author: The ssemedic authors (@ssemedic)
options:
  url:
    description:
      - The public URL of the endpoint, without a token.
      - Without it no stream is recorded.
    type: str
  token:
    description: The token with which the streams are recorded.
    type: str
  token_parameter:
    description: The query parameter that carries the token; empty to send it as Bearer.
    type: str
    default: access_token
  origin:
    description: The Origin header to send, as the page of the users would.
    type: str
  headers:
    description: More request headers to send.
    type: dict
    default: {}
  upstream:
    description: Where the application listens, V(host:port) or V(unix:/path), if nginx does
      not tell.
    type: str
  unit:
    description: The systemd service of the application, if its socket does not tell.
    type: str
  units:
    description: Patterns of names; services that match are collected too.
    type: list
    elements: str
    default: ['notify*', '*sse*', '*event*', '*chat*', '*stream*', '*push*']
  log_files:
    description: Log files of the application that systemd's journal does not have.
    type: list
    elements: str
    default: []
  brokers:
    description: Brokers to ask beside those that are found.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: What it is.
        type: str
        required: true
        choices: [nats, redis, postgresql]
      address:
        description: Where it listens, V(host:port).
        type: str
        required: true
  canary:
    description:
      - Whether to send the O(message) while the streams are recorded, to open nine more streams
        beside them, and to watch NATS and Redis while it passes. Everything else only reads.
    type: bool
    default: false
  message:
    description:
      - How to send it - C(path), C(method), C(headers), C(body) and C(id), or C(subject) and
        C(body).
      - The reference service (role sse_service) is known without it.
    type: dict
  window:
    description: How long each stream is watched, in seconds.
    type: float
    default: 8.0
  streams:
    description: Whether to record streams.
    type: bool
    default: true
  since_minutes:
    description: Log lines older than this are left out, but for the newest few of each log.
    type: int
    default: 60
  max_lines:
    description: The most lines of one log.
    type: int
    default: 400
  max_bytes:
    description: The most bytes that are read of one file.
    type: int
    default: 1048576
attributes:
  check_mode:
    description: Changes nothing in either mode.
    support: full
"""

EXAMPLES = r"""
- name: Collect evidence about the endpoint
  sse_evidence:
    url: https://chat.example.org/events
    origin: https://app.example.org
  register: seen

- name: Collect evidence without recording a stream
  sse_evidence:
    streams: false
"""

RETURN = r"""
evidence:
  description: All sections; one that could not be collected is null and named in C(missing).
  returned: always
  type: dict
host_clock:
  description: The host's clock at the very end, epoch seconds, to compare with the controller's.
  returned: always
  type: float
"""

_MOST_SECONDS = 120.0


def arguments() -> Dict[str, Any]:
    """The module's options; the action plugin of the same name checks against them too."""
    broker = {
        "kind": {"type": "str", "required": True, "choices": ["nats", "redis", "postgresql"]},
        "address": {"type": "str", "required": True},
    }
    return {
        "url": {"type": "str"},
        "token": {"type": "str", "no_log": True},
        # The name of a parameter and a number of seconds are no secrets.
        "token_parameter": {"type": "str", "default": "access_token", "no_log": False},
        "origin": {"type": "str"},
        "headers": {"type": "dict", "default": {}, "no_log": True},
        "upstream": {"type": "str"},
        "unit": {"type": "str"},
        "units": {"type": "list", "elements": "str", "default": list(PATTERNS)},
        "log_files": {"type": "list", "elements": "str", "default": []},
        "brokers": {"type": "list", "elements": "dict", "default": [], "options": broker},
        "canary": {"type": "bool", "default": False},
        "message": {"type": "dict"},
        "window": {"type": "float", "default": 8.0},
        "streams": {"type": "bool", "default": True},
        "since_minutes": {"type": "int", "default": 60},
        "max_lines": {"type": "int", "default": 400},
        "max_bytes": {"type": "int", "default": 1048576},
    }


def wanted(options: Dict[str, Any]) -> Wanted:
    """The options as the collection takes them; numbers are brought into sane bounds."""
    return Wanted(
        limits=Limits(
            since=time.time() - 60.0 * max(0, options["since_minutes"]),
            lines=min(max(1, options["max_lines"]), 10000),
            bytes=min(max(4096, options["max_bytes"]), 16 * 1024 * 1024),
        ),
        url=options["url"] or None,
        token=options["token"] or None,
        token_parameter=options["token_parameter"],
        origin=options["origin"] or None,
        headers={str(name): str(value) for name, value in (options["headers"] or {}).items()},
        upstream=options["upstream"] or None,
        unit=options["unit"] or None,
        patterns=tuple(options["units"]),
        log_files=tuple(options["log_files"]),
        window=min(max(0.1, options["window"]), _MOST_SECONDS),
        streams=options["streams"],
        brokers=tuple(options["brokers"]),
        canary=options["canary"],
        message=options["message"] or None,
    )


class _SilentModule(AnsibleModule):  # type: ignore[misc]
    """Reading a host leaves no trace in its syslog, and no URL that may carry a token."""

    def _log_invocation(self) -> None:
        pass


def main() -> None:
    """Collect and answer."""
    module = _SilentModule(arguments(), supports_check_mode=True)
    options = module.params
    evidence = sendable(collect(wanted(options)))
    # Ansible would blank every string and number that contains a secret's text, even by
    # accident: in base64 or in a size. The text is masked already, where it is text.
    module.no_log_values.clear()
    shown = {name: options[name] for name in ("unit", "upstream", "window", "streams")}
    module.exit_json(
        changed=False,
        evidence=evidence,
        # Not "finished": Ansible keeps that name for the state of asynchronous tasks.
        host_clock=time.time(),
        invocation={"module_args": shown},
    )


if __name__ == "__main__":
    sys.exit(main())
