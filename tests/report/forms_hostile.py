"""A report in which every text that a host can choose holds the same hostile words."""

from __future__ import annotations

from typing import Any

JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MX0.c2lnbmF0dXJlLWJ5dGVz"
PASSWORD = "hunter2-hunter2"
HOSTILE = (
    "\x1b]0;evil\x07 \u202e\r\n# heading\n```\n| cell | <script>alert(1)</script> <!-- "
    "[click](javascript:alert(1)) ![i](https://evil.example/x.png) https://evil.example "
    "`code` ``two`` ~~~ **bold** @team #12 :tada: {0} ]]> &amp; \" ' \\ = ; "
    f"/events?access_token={JWT} Authorization: Basic {PASSWORD}\n"
)
#: Our own words, which a host cannot choose, by the name of their field.
_OURS = {
    "schema", "kind", "id", "name", "hop", "vantage", "rule", "status", "severity", "layer",
    "explains", "outcome", "audience", "disruption", "role", "verdict", "symptoms", "state",
    "gone", "stayed", "came", "not_streaming", "before_verdict", "content_type", "cleared",
    "algorithm", "content_b64", "expected_sha256",
}  # fmt: skip


def planted(value: Any, name: str = "") -> Any:
    """A copy of a report with `HOSTILE` behind every text of the host."""
    if name in _OURS and not (name in ("symptoms", "id") and isinstance(value, list)):
        return value
    if isinstance(value, str):
        return value + HOSTILE
    if isinstance(value, dict):
        return {key: planted(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [planted(item, "" if isinstance(item, dict) else name) for item in value]
    return value


def hostile(report: dict[str, Any]) -> dict[str, Any]:
    """The report, hostile wherever a host can put its words."""
    bad: dict[str, Any] = planted(report)
    bad["verdict"] = report["verdict"]
    bad["symptoms"] = [{**s, "text": s["text"] + HOSTILE} for s in report["symptoms"]]
    bad["missing"] = {"nginx": HOSTILE}
    bad["skipped"] = {"nginx_cache_sse": HOSTILE}
    bad["notes"] = [HOSTILE]
    return bad
