"""`ssemedic analyze`: judge what somebody sent, with no host at all.

Here is what is said of nginx's configuration; every other file is in `analyze_file`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ssemedic.commands.analyze_arguments import OF_CONFIGURATIONS
from ssemedic.commands.output import UsageError
from ssemedic.endpoint import Endpoint, EndpointError, endpoint_of
from ssemedic.lint import Configuration, Judged, Level, judge, read_configuration, read_dumped
from ssemedic.lint.data import data
from ssemedic.lint.sarif import sarif
from ssemedic.lint.words import counted, page
from ssemedic.nginx import ConfigError
from ssemedic.report.clean import clean

#: Without a word about the version: the newest that a Debian release brings. Newer ones speak
#: HTTP/1.1 to their upstreams by default, which would pass over what is missing for older ones.
ASSUMED = "1.26.3"

CLEAN, FOUND, UNKNOWN = 0, 1, 3
_VERSION = re.compile(r"(\d+\.\d+\.\d+)")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Judge, and say so; returns the exit code. Raises `UsageError`."""
    if (arguments.file is None) is (arguments.nginx is None):
        raise UsageError("analyze: needs either FILE or --nginx PATH")
    if arguments.file is not None:
        from ssemedic.commands import analyze_file

        code = analyze_file.run(arguments, console)
        if code is not None:
            return code
        arguments.nginx = str(arguments.file)
    return _configured(arguments)


def _configured(arguments: argparse.Namespace) -> int:
    if arguments.format not in OF_CONFIGURATIONS:
        raise UsageError(
            f"--format: is {arguments.format}, must be one of "
            f"{', '.join(OF_CONFIGURATIONS)} for nginx's configuration"
        )
    if arguments.report or arguments.output:
        raise UsageError("--report and -o: are not for nginx's configuration")
    if not arguments.prefix.startswith("/"):
        raise UsageError(f"--prefix: {arguments.prefix} must be a full path, as /etc/nginx")
    if arguments.keepalive is not None and not arguments.keepalive > 0:
        raise UsageError(f"--keepalive: is {arguments.keepalive:g}, must be more than 0 seconds")
    asked = [_endpoint(arguments, url) for url in arguments.url]
    build, version = _nginx(arguments)
    configuration = _configuration(arguments)
    like = _endpoint(arguments, "http://localhost/")
    try:
        judged = judge(configuration.tree, asked, version or ASSUMED, build, like)
    except ConfigError as error:
        raise UsageError(configuration.here(str(error))) from error
    code = exit_code(judged, arguments.strict)
    if arguments.format == "json":
        told = data(configuration, judged, version or ASSUMED, not version, code)
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return code
    if arguments.format == "sarif":
        sys.stdout.write(sarif(configuration, judged, version or ASSUMED))
        return code
    for line in page(configuration, judged, brief=arguments.brief, explain=arguments.explain):
        sys.stdout.write(f"{line}\n")
    said = "" if version else " (assumed; --nginx-version says which)"
    if not judged:
        sys.stdout.write("nothing was judged: no location looks like an event stream; name --url\n")
    else:
        sys.stdout.write(f"{counted(judged)}; as nginx {clean(version or ASSUMED)}{said}\n")
    return code


def exit_code(judged: Sequence[Judged], strict: bool) -> int:
    """0 clean, 1 findings, 3 where something could not be judged."""
    failing = {Level.ERROR, Level.WARNING} if strict else {Level.ERROR}
    if any(problem.level in failing for one in judged for problem in one.problems):
        return FOUND
    return UNKNOWN if not judged or any(one.unknown for one in judged) else CLEAN


def _endpoint(arguments: argparse.Namespace, url: str) -> Endpoint:
    said = {"url": url, "keepalive_seconds": arguments.keepalive, "origin": arguments.origin}
    try:
        endpoint, token = endpoint_of(said)
    except EndpointError as error:
        raise UsageError(str(error)) from error
    if token:
        raise UsageError("--url: carries a token, which every process list shows; leave it out")
    return endpoint


def _nginx(arguments: argparse.Namespace) -> tuple[str, str]:
    """The text of `nginx -V` and the version, "" where nobody said."""
    build = _read(arguments.build).decode("utf-8", "replace") if arguments.build else ""
    said = arguments.nginx_version or build.partition("nginx version:")[2].partition("\n")[0]
    found = _VERSION.search(said)
    if said and not found:
        name = "--nginx-version" if arguments.nginx_version else "--build"
        raise UsageError(f"{name}: {said.strip()!r} names no version, must be as 1.26.3")
    if arguments.build and not said:
        raise UsageError(f"--build: {arguments.build} is not what nginx -V prints")
    return build, found[1] if found else ""


def _configuration(arguments: argparse.Namespace) -> Configuration:
    try:
        if arguments.nginx == "-":
            return read_dumped(sys.stdin.buffer.read(), "standard input")
        return read_configuration(Path(arguments.nginx), arguments.prefix)
    except ConfigError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"{arguments.nginx}: {error.strerror or error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
