"""The curl commands that make the recorded requests again. The token comes from a file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ssemedic.probe.request import Request, RequestError

#: What a variant changes in the request, as curl says it; of others only the recorder knows.
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "": (),
    "http10": (),  # the version says it
    "h2": (),
    "gzip": ("-H", "Accept-Encoding: gzip"),
}
#: Counter-tests that show the token to nobody.
_WITHOUT_TOKEN = frozenset({"alive", "candidate"})
_VERSIONS = {"1.0": "--http1.0", "1.1": "--http1.1", "2": "--http2"}
_QUIET = re.compile(r"[^\x20-\x7e]")

HEAD = r"""#!/bin/sh
# The requests of this bundle once more, by curl (7.83 or newer).
#
#     sh repeat.sh TOKEN_FILE [NUMBER]
#
# TOKEN_FILE holds the access token and has the mode 0600; /dev/null for a stream without one.
# The token gets into no process list: curl reads it from a file. "on the host" means that
# the command must run on {host}, the others run where the browser is. A stream that is still
# open when the time is up ends with curl's exit code 28: that is no fault.
set -u
umask 077
token=$(mktemp) && header=$(mktemp) && trap 'rm -f "$token" "$header"' EXIT || exit 1
tr -d '\r\n' <"${{1:?must name the file of the token}}" >"$token" || exit 1
printf 'Authorization: Bearer %s\n' "$(cat "$token")" >"$header"
only=${{2:-}}

ask() {{
    number=$1
    told=$2
    shift 2
    if [ -n "$only" ] && [ "$only" != "$number" ]; then return; fi
    printf '\n== %s. %s\n' "$number" "$told"
    curl --no-buffer --silent --show-error --include "$@"
    printf '\n-- curl ended with %s\n' "$?"
}}
"""


def script(evidence: Mapping[str, Any], endpoint: Mapping[str, Any], *, token: bool) -> str:
    """A shell script that makes each recorded request again, hop by hop.

    ``evidence`` and ``endpoint`` are plain data, masked already; ``token`` is true where one
    was sent.
    """
    records = [r for r in evidence.get("streams") or () if r["end"]["kind"] != "not_recorded"]
    lines = [HEAD.format(host=_told(evidence["host"]))]
    for number, record in enumerate(records, 1):
        where = f", on the host {_told(evidence['host'])}" if record["vantage"] == "inside" else ""
        variant = f", variant {record['variant']}" if record["variant"] else ""
        sent = token and record["variant"] not in _WITHOUT_TOKEN
        told = shlex.quote(_told(f"{record['hop']}{variant}{where}"))
        words = " ".join([*map(shlex.quote, command(record, endpoint)), *_token(endpoint, sent)])
        said = "" if record["variant"] in _OPTIONS else _unknown(record["variant"])
        lines.append(f"{said}ask {number} {told} {words}")
    return "\n".join(lines) + "\n"


def command(record: Mapping[str, Any], endpoint: Mapping[str, Any]) -> list[str]:
    """The arguments of curl for one record, without the token."""
    out = [str(record["url"]), "--max-time", f"{float(record['window']):g}"]
    out.append(_VERSIONS[record["request_version"]])
    if record["method"] != "GET":
        out += ["--request", str(record["method"])]
    for name, value in _headers(record):
        out += ["-H", f"{name}: {value}"]
    if endpoint.get("origin"):
        out += ["-H", f"Origin: {endpoint['origin']}"]
    out += _OPTIONS.get(record["variant"], ())
    out += _address(record)
    if endpoint.get("ca_file"):
        out += ["--cacert", str(endpoint["ca_file"])]
    elif record["vantage"] == "inside" and str(record["url"]).startswith("https:"):
        out.append("--insecure")
    return out


def _token(endpoint: Mapping[str, Any], token: bool) -> list[str]:
    """As words of the shell: the script alone knows the file."""
    parameter = endpoint.get("token_parameter")
    if not token:
        return []
    if parameter:
        return ["--get", "--data-urlencode", f'{shlex.quote(parameter)}@"$token"']
    return ["-H", '@"$header"']


def _headers(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the recorder sends beside what curl sends by itself."""
    try:
        request = Request(hop="app", url=record["url"], version=record["request_version"])
    except RequestError:
        return []
    changed = {"host"} | ({"accept-encoding"} if record["variant"] == "gzip" else set())
    return [pair for pair in request.wire_headers() if pair[0].lower() not in changed]


def _address(record: Mapping[str, Any]) -> Sequence[str]:
    if record["vantage"] != "inside":
        return ()
    address = str(record["address"])
    if address.startswith("unix:"):
        return ("--unix-socket", address.removeprefix("unix:").rstrip(":"))
    return ("--connect-to", f"::{address}")


def _unknown(variant: str) -> str:
    return (
        f"# {_told(variant)}: ssemedic changes more in this request than curl can be told here;\n"
        "# this is the plain one for the same place.\n"
    )


def _told(value: object) -> str:
    """Host text as a word of a comment: nothing in it ends the line."""
    return _QUIET.sub("?", str(value))
