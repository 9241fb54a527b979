"""Which URLs of a host may be event streams, for when nobody names one."""

from __future__ import annotations

from typing import Any

from ssemedic.evidence import Evidence
from ssemedic.nginx import endpoints
from ssemedic.topology import collected_tree, target_address


def candidates(evidence: Evidence) -> list[dict[str, Any]]:
    """URL, place, targets and reasons of each candidate, the likeliest first.

    Raises `ConfigError` where nginx's configuration cannot be read: no candidates is an
    answer, an unreadable file is not.
    """
    if evidence.nginx is None:
        return []
    found = endpoints(collected_tree(evidence.nginx), evidence.nginx.version)
    return [
        {
            "url": candidate.url,
            "where": candidate.location.where,
            "targets": [target_address(target) for target in candidate.targets],
            "reasons": list(candidate.reasons),
        }
        for candidate in found
    ]
