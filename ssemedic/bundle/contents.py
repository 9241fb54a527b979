"""What is in a bundle: every file by its name, made of what is masked already."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ssemedic import __version__
from ssemedic.bundle import repeat
from ssemedic.nginx import ConfigError
from ssemedic.nginx.dump import Dump
from ssemedic.report import html
from ssemedic.report.forms import as_json
from ssemedic.report.forms.markdown import markdown, prose
from ssemedic.report.words import verdict_sentence

Data = Mapping[str, Any]

#: The newest lines of each log that are shown by themselves; evidence.json holds all of them.
NEWEST = 60
#: Lines before and after one that speaks of a symptom.
AROUND = 8
_TELLING = re.compile(
    r"(?i)error|\bfail|timed? ?out|denied|refused|traceback|exception|panic|killed|reset by"
    r"|closed|too many|not enough|unauthori[sz]ed|expired|invalid|upstream"
    r"|\[(?:warn|crit|alert|emerg)"
)
_UNSAFE = re.compile(r"(?:[^A-Za-z0-9._-]|\.\.)+")


def contents(report: Data, evidence: Data | None) -> dict[str, bytes]:
    """Every file of the bundle but its README, by name. Both are masked plain data."""
    files = {
        "analysis.md": markdown(report).encode(),
        "analysis.html": html.text(report).encode(),
        "report.json": as_json(report).encode(),
        "versions.json": _json(versions(evidence)),
    }
    if evidence is not None:
        token = report["token"] is not None
        files["evidence.json"] = _json(evidence)
        files["arrivals.csv"] = arrivals(evidence).encode()
        files["repeat.sh"] = repeat.script(evidence, report["endpoint"], token=token).encode()
        files.update(logs(evidence, report))
        dump = effective(evidence)
        if dump is not None:
            files["nginx.conf.txt"] = dump
    files["README.md"] = readme(report, evidence, files).encode()
    sums = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    return {**files, "SHA256SUMS": "".join(sums).encode()}


def versions(evidence: Data | None) -> dict[str, Any]:
    """What ran here and there."""
    said: dict[str, Any] = {
        "ssemedic": __version__,
        "python": platform.python_version(),
        "ansible-core": _installed("ansible-core"),
        "httpx": _installed("httpx"),
    }
    if evidence is None:
        return said
    nginx = evidence.get("nginx")
    return {
        **said,
        "host": evidence.get("system"),
        "nginx": {"version": nginx["version"], "build": nginx["build"]} if nginx else None,
        "brokers": [
            {"kind": broker["kind"], "detail": broker["detail"]}
            for broker in evidence.get("brokers") or ()
        ],
    }


def arrivals(evidence: Data) -> str:
    """Each read of each record: hop, variant, seconds since the start, bytes."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("hop", "vantage", "variant", "what", "seconds", "bytes"))
    for record in evidence.get("streams") or ():
        name = [_cell(record[key]) for key in ("hop", "vantage", "variant")]
        for phase, at in record["phases"].items():
            if at is not None:
                table.writerow((*name, phase, at, ""))
        table.writerows((*name, "read", at, size) for at, size in record["reads"])
        table.writerow((*name, _cell(f"end: {record['end']['kind']}"), record["end"]["at"], ""))
    return out.getvalue()


def _cell(value: object) -> str:
    """A spreadsheet runs what begins with one of these."""
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def logs(evidence: Data, report: Data) -> dict[str, bytes]:
    """Of each log the newest lines, and those around what speaks of a symptom."""
    said = [text for cause in report["causes"] for text in cause["evidence"]]
    files = {}
    for log in evidence.get("logs") or ():
        lines = log["lines"]
        if not lines:
            continue
        kept = sorted(set(_kept([line["text"] for line in lines], said)))
        name = _UNSAFE.sub("-", log["source"]).strip("-.").removesuffix(".log") or "log"
        name = f"logs/{name}.log"
        files[name] = _log(log["source"], lines, kept).encode("utf-8", "replace")
    return files


def _kept(texts: Sequence[str], said: Sequence[str]) -> Iterator[int]:
    yield from range(max(0, len(texts) - NEWEST), len(texts))
    for at, text in enumerate(texts):
        if _TELLING.search(text) or any(text and text in one for one in said):
            yield from range(max(0, at - AROUND), min(len(texts), at + AROUND + 1))


def _log(source: str, lines: Sequence[Data], kept: Sequence[int]) -> str:
    out, last = [f"# {_one_line(source)}: {len(kept)} of {len(lines)} lines"], -1
    for at in kept:
        if at != last + 1:
            out.append(f"# ... {at - last - 1} lines")
        when = "-" if lines[at]["at"] is None else f"{lines[at]['at']:.3f}"
        out.append(f"{when} {_one_line(lines[at]['text'])}")
        last = at
    return "\n".join(out) + "\n"


def _one_line(text: object) -> str:
    return re.sub(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]", "?", str(text))


def effective(evidence: Data) -> bytes | None:
    """The configuration as `nginx -T` prints it; None where it was not seen."""
    nginx = evidence.get("nginx")
    if not nginx or not nginx["files"]:
        return None
    files = {file["path"]: base64.b64decode(file["content"]) for file in nginx["files"]}
    first = {nginx["main"]: files.pop(nginx["main"], b"")}
    try:
        return Dump(tuple({**first, **files}.items())).content
    except ConfigError:
        return None


_WHAT = {
    "analysis.html": "the whole analysis as a page: open this first",
    "analysis.md": "the same as Markdown, for a ticket",
    "report.json": "the results for a program (docs/report.schema.json of ssemedic)",
    "evidence.json": "everything that was seen; it can be judged again",
    "nginx.conf.txt": "nginx's configuration as `nginx -T` prints it",
    "repeat.sh": "every request that was made, as curl commands; the token comes from a file",
    "arrivals.csv": "when each byte of each stream came",
    "versions.json": "what ran on the host and here",
    "SHA256SUMS": "of each file of the bundle",
}


def readme(report: Data, evidence: Data | None, files: Mapping[str, bytes]) -> str:
    """What this is, what it says, how to judge it again, and what was masked."""
    rows = [
        f"| {name} | {text} |" for name, text in _WHAT.items() if name in {*files, "SHA256SUMS"}
    ]
    shown = sorted(name for name in files if name.startswith("logs/"))
    if shown:
        rows.append(
            f"| {', '.join(shown)} | each log's newest lines, and those around what speaks of a"
            " symptom; seconds since 1970 in front |"
        )
    without = () if evidence is not None else (
        "There is no evidence in this bundle, so it can be read and not judged again.", "",
    )  # fmt: skip
    return "\n".join(
        [
            "# An event stream that was diagnosed",
            "",
            prose(verdict_sentence(report)),
            "",
            "| file | what it is |",
            "|---|---|",
            *rows,
            "",
            *without,
            "Judge it again, without the host: `ssemedic analyze FILE.tar.gz`.",
            "",
            "Secrets were masked before anything was written: a sign such as "
            "`\u2039token:1a2b\u203a` stands for one,",
            "and the same secret has the same sign in every file. `***` was masked on the host "
            "already. Before the",
            "archive was written, its bytes were searched for every secret that is known. "
            "Addresses of people and hosts",
            "are in here unless `--anonymous` was given.",
            "",
        ]
    )  # fmt: skip


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _json(data: object) -> bytes:
    return (json.dumps(data, indent=1, sort_keys=False) + "\n").encode()
