"""The page on a host, for a while: what nginx needs to serve it at a path that nobody guesses.

Nothing here lasts: the change is made in a transaction that is never confirmed, so that the host
itself undoes it when the time is over, and the boot after a crash does, too. Pure.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from ssemedic.evidence import Evidence
from ssemedic.nginx import ConfigError, route
from ssemedic.nginx.edit import Draft, FileEdit, UnsafeError, edit_of
from ssemedic.nginx.splice import insertion
from ssemedic.page import write
from ssemedic.topology import collected_tree

FOLDER = "/etc/nginx/ssemedic"
CONFIGURATION = f"{FOLDER}/page.conf"
FILE = f"{FOLDER}/page.html"
LONGEST_MINUTES = 24 * 60

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")


class NoPlaceError(ValueError):
    """The page cannot be served there; the message is one sentence."""


@dataclass(frozen=True)
class Published:
    """Where it will be: path, URL, the page itself, and the admin's file with one include."""

    path: str
    url: str
    html: str
    edits: tuple[FileEdit, ...]


def publish(evidence: Evidence, url: str, prefix: str, token: str) -> Published:
    """What serves the page on the server that answers the stream's URL. Raises `NoPlaceError`.

    ``prefix`` is the path of choice ("" for none), ``token`` the part that nobody guesses.
    """
    if not _TOKEN.fullmatch(token):
        raise NoPlaceError("token: must be 16 to 64 letters, digits, - and _")
    if not _PREFIX.fullmatch(prefix):
        raise NoPlaceError(f"path: is {prefix!r}, must be like /tools, without a slash at its end")
    nginx = evidence.nginx
    if nginx is None or not nginx.files:
        raise NoPlaceError(evidence.missing.get("nginx", "nginx: no configuration was collected"))
    path = f"{prefix}/{token}/{write.NAME}"
    parts = urlsplit(url)
    public = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
    try:
        tree = collected_tree(nginx)
        found = route(tree, public, nginx.version, build=nginx.build)
        if found.server is None or len(found.path) < 2:
            raise NoPlaceError("; ".join(found.notes) or "nginx: no server block serves the URL")
        server = found.path[1]
        if tree.uses(CONFIGURATION):
            raise NoPlaceError(f"{CONFIGURATION}: is in use; the page is there already")
        splice = insertion(tree.sources[server.file], server, CONFIGURATION)
        edit = edit_of(tree, Draft({server.file: [splice]}, (), None, CONFIGURATION))
    except (ConfigError, UnsafeError) as error:
        raise NoPlaceError(f"nginx: {error}") from error
    # The page stands on the app's own origin: the stream's path is all that it must know.
    return Published(path, public, write.text({"url": url}), edit.files)


def as_changes(published: Published, configuration: str) -> list[dict[str, str]]:
    """The changes of the transaction, as the module takes them."""
    files = [(FILE, published.html), (CONFIGURATION, configuration)]
    ours = [
        {"path": path, "content_b64": base64.b64encode(text.encode()).decode("ascii")}
        for path, text in files
    ]
    admins = [
        {
            "path": file.path,
            "expected_sha256": file.before_sha256,
            "content_b64": base64.b64encode(file.content).decode("ascii"),
        }
        for file in published.edits
    ]
    return [*ours, *admins]
