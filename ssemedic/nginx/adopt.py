"""The smallest edit of the admin's files that gives one URL the settings it needs.

Our file gets the settings. The admin's file gains one include and loses the lines that
contradict. Where it goes is a question of scope (`scope`):

- in the location that really serves the URL, where that is the stream's own;
- in the server, for a new location, where the one that serves the URL serves much more, or
  brings its lines to several servers, or where a rule asks for it. The new one is a copy of
  the one that serves the URL now (`copy`), for this URL alone, with the settings added;
- in the server, for a location of our lines alone, where the URL reaches no upstream yet.

Nothing is ever set at http or server level. Limits of nginx's processes are changed in place
(`limits`). Every edit is looked at before it is given out: the URL must reach the same
upstream with the same request, every wish must be in force and nothing else changed there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from .alike import speaks_of
from .drafts import copy_location, into_location, own_location
from .edit import Draft, Edit, Refusal, UnsafeError, after, edit_of
from .family import translated
from .limits import check_limits, limit_splices
from .merge import Wishes
from .names import file_in_use, free_name, location_for
from .ours import Line
from .quote import KNOWN_VARIABLES, QuoteError, checked, statement
from .route import Route
from .scope import is_dedicated, is_shared, names_one_user, own_path
from .tree import Tree

_PATH = re.compile(r"/[A-Za-z0-9_./-]+")
_VARIABLE = re.compile(r"\$\{?(\w+)")
#: Directives that no location may hold; where they may stand is not ours to edit.
_ELSEWHERE = frozenset(
    {
        "client_header_timeout", "http2", "keepalive", "large_client_header_buffers",
        "limit_conn_zone", "limit_req_zone", "listen", "log_format", "map", "merge_slashes",
        "proxy_cache_path", "server", "server_name",
        "underscores_in_headers", "upstream", "worker_connections", "worker_rlimit_nofile",
        "worker_shutdown_timeout",
    }
)  # fmt: skip
#: Wishes that do no harm to other URLs of the same location.
_HARMLESS = frozenset({"proxy_http_version", "proxy_read_timeout", "proxy_send_timeout"})


def adopt(
    tree: Tree,
    found: Route,
    settings: Sequence[Line],
    ours: str,
    location: str | None = None,
    without: Sequence[Line] = (),
    process: Mapping[str, str] | None = None,
) -> Edit | Refusal:
    """The edit that gives a URL these settings, or why there is none.

    ``without`` names lines that must not be in force: the directive and one argument.
    ``location`` ("^~ /events") asks for a new location in the server. ``process`` holds limits
    of the main and the events level. Applied to its own result it gives no edit.
    """
    process = process or {}
    try:
        wishes = Wishes(tuple(settings), tuple(without))
        draft = Draft({}, (), None, ours)
        if settings or without or location:
            _check_route(found, new=location is not None)
            wishes = _checked(found, wishes, ours)
            draft = _placed(found, wishes, file_in_use(found, ours), location)
        splices = {path: list(items) for path, items in draft.splices.items()}
        for path, items in limit_splices(tree, process).items():
            splices.setdefault(path, []).extend(items)
        edit = edit_of(tree, replace(draft, splices=splices))
        if process:
            check_limits(after(tree, edit), process)
    except (UnsafeError, QuoteError) as error:
        asked = Wishes(tuple(settings), tuple(without))
        return Refusal(str(error), _by_hand(found, asked, process), _where(found))
    return edit


def _placed(found: Route, wishes: Wishes, ours: str, asked: str | None) -> Draft:
    """The draft for the narrowest place that will do, its effect checked."""
    if _is_ours(found, ours):
        return into_location(found, wishes, ours)
    if found.serves != "proxy":
        return own_location(found, wishes, ours, asked or location_for(found))
    path = own_path(found)
    exact = found.location is not None and found.location.modifier == "="
    if asked and not exact:
        return copy_location(found, wishes, ours, free_name(found, asked))
    if (is_dedicated(found) or names_one_user(path)) and not is_shared(found):
        return into_location(found, wishes, ours)
    try:
        return copy_location(found, wishes, ours, f"= {path}")
    except UnsafeError as error:
        if is_shared(found):
            raise UnsafeError(f"{_place(found)}: is brought to several servers; {error}") from error
        if not _is_harmless(wishes):
            raise
    return into_location(found, wishes, ours)


def _checked(found: Route, wishes: Wishes, ours: str) -> Wishes:
    """The wishes in the words of the module that serves. Raises for what cannot be wished."""
    if not _PATH.fullmatch(ours):
        raise UnsafeError(f"{ours}: is not a plain absolute path")
    handler = found.handler if found.serves == "proxy" else None
    written = handler.args[0] if handler and handler.args else ""
    known = set(_VARIABLE.findall(written))
    settings = []
    for line in wishes.settings:
        # A pass of ours may use what the admin's own uses: it stands in the same place.
        own = line.name == "proxy_pass" and set(_VARIABLE.findall(line.args[0])) <= (
            known | KNOWN_VARIABLES
        )
        plain = own and not any(char in line.args[0] for char in ";{}")
        checked(line.name, line.args, inherited=line.verbatim or plain)
        settings.append(translated(line, handler))
    without = []
    for line in wishes.without:
        checked(line.name, line.args)
        without.append(translated(line, handler))
    for line in (*settings, *without):
        if line.name in _ELSEWHERE or line.name.startswith("ssl_") or not line.args:
            raise UnsafeError(f"{line.name}: has no place in a location")
    return Wishes(tuple(settings), tuple(without))


def _check_route(found: Route, new: bool) -> None:
    """Raises where the route does not tell enough; beside a `return` a new location will do."""
    if found.server is None or not found.path:
        raise UnsafeError("; ".join(found.notes) or "no server block serves the URL")
    if not found.resolved:
        raise UnsafeError("the location cannot be told for sure: " + "; ".join(found.notes))
    inside = next((block for block in found.path if block.name == "if"), None)
    if inside is not None:
        raise UnsafeError(f"{inside.where}: the URL is served inside an if block")
    if found.serves not in ("proxy", "static") and not (new and found.serves == "return"):
        what = f" with {found.status}" if found.status else ""
        raise UnsafeError(
            f"{_place(found)}: answers by itself{what}, it neither proxies nor serves"
        )
    for directive in found.tree.flat(found.path[-1].block):
        if "_by_lua" in directive.name:
            raise UnsafeError(f"{directive.where}: Lua has a hand in this location")


def _is_harmless(wishes: Wishes) -> bool:
    return not wishes.without and all(
        line.name in _HARMLESS or line.args[:1] == ("Connection",) for line in wishes.settings
    )


def _place(found: Route) -> str:
    return found.location.where if found.location else found.path[-1].where


def _is_ours(found: Route, ours: str) -> bool:
    return found.location is not None and found.location.directive.file == ours


def _where(found: Route) -> str:
    if found.location is not None:
        return f"{found.location.where}, in {found.location.label}"
    return found.server.where if found.server else ""


def _by_hand(found: Route, wishes: Wishes, process: Mapping[str, str]) -> tuple[str, ...]:
    """The exact lines for a person: what to write, and what to take away where."""
    out = [statement(line.name, line.args) for line in wishes.settings]
    for absent in wishes.without:
        key = absent.args[0]
        lines = found.setting(absent.name).lines if found.path else ()
        there = [d for d in lines if speaks_of(absent.name, d.args, key)]
        out += [f"# without {statement(d.name, d.args)} of {d.where}" for d in there] or [
            f"# without {absent.name} {key}"
        ]
    return (*out, *(statement(name, (value,)) for name, value in process.items()))
