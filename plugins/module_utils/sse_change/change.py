"""The change set as the plan gives it: checked, resolved on this host, compared, shown."""

from __future__ import annotations

import base64
import binascii
import grp
import os
import pwd
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ChangeError
from .files import ABSENT, FILE, LINK, Look, look

_UNIT = re.compile(
    r"\A[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\@-]*\.(service|socket|timer|path|target|mount|slice)\Z"
)
_SHA256 = re.compile(r"\A([0-9a-f]{64})?\Z")


@dataclass(frozen=True)
class Planned:
    """One path: what is there now, what is to be there, what the plan believed was there."""

    path: str
    where: str
    before: Look
    after: Look
    expected: str | None  # sha256; "" nothing may be there; None not checked

    @property
    def differs(self) -> bool:
        return not self.before.same_thing(self.after)


@dataclass(frozen=True)
class UnitWish:
    """What is to become of a unit. ``state``: started, restarted or unchanged."""

    name: str
    daemon_reload: bool
    enabled: bool | None
    state: str
    reset_failed: bool
    always: bool = False  # restart it though none of its files changed: it hangs


@dataclass(frozen=True)
class Activation:
    """What makes the new files count."""

    nginx_reload: bool
    nginx_unit: str
    units: tuple[UnitWish, ...]
    nginx_always: bool = False  # reload though no file changes: nginx is to look names up anew


def planned(changes: Sequence[Mapping[str, Any]], root: str = "/") -> tuple[Planned, ...]:
    """Resolve a change list on this host. Reads, writes nothing.

    Raises ChangeError for a path that is not absolute and plain, an unknown owner, or two
    changes of one file.
    """
    found: dict[str, Planned] = {}
    for change in changes:
        one = _planned(change, root)
        if one.where in found:
            raise ChangeError(f"{one.path}: is changed twice, must be changed once")
        found[one.where] = one
    return tuple(found.values())


def activation(wish: Mapping[str, Any] | None) -> Activation:
    """Check what is to be reloaded and started."""
    wish = wish or {}
    nginx = wish.get("nginx") or {}
    units = tuple(_unit(one) for one in wish.get("units") or ())
    names = [one.name for one in units]
    for name in names:
        if names.count(name) > 1:
            raise ChangeError(f"unit {name}: is named twice, must be named once")
    nginx_unit = nginx.get("unit") or "nginx.service"
    always = bool(nginx.get("reload") and nginx.get("always"))
    return Activation(bool(nginx.get("reload")), _unit_name(nginx_unit), units, always)


def refuse_drift(changes: Sequence[Planned]) -> None:
    """Fail if a file is not what the plan saw. One that already is as wanted is no drift.

    The facts of the ChangeError hold ``drift``: of each such file the two hashes, its text now
    and the text that the plan wants. What the plan saw, only its maker has.
    """
    drift = [
        {
            "path": one.path,
            "expected": one.expected,
            "found": _found(one.before),
            "now": _shown(one.before),
            "wanted": _shown(one.after),
        }
        for one in changes
        if one.differs and one.expected is not None and one.expected != _found(one.before)
    ]
    if drift:
        first = drift[0]
        raise ChangeError(
            f"{first['path']}: sha256 is {_short(first['found'])}, must be "
            f"{_short(first['expected'])}: it changed since the plan was made: make a new one; "
            "nothing was changed",
            drift=drift,
        )


def differences(changes: Sequence[Planned]) -> list[dict[str, str]]:
    """The change as Ansible shows it with --diff; bytes that are not UTF-8 are escaped."""
    return [difference(one.path, one.before, one.after) for one in changes if one.differs]


def difference(path: str, before: Look, after: Look) -> dict[str, str]:
    """One path in two states, as Ansible shows it with --diff."""
    return {
        "before_header": _header(path, before, after),
        "after_header": _header(path, after, before),
        "before": _shown(before),
        "after": _shown(after),
    }


def _planned(change: Mapping[str, Any], root: str) -> Planned:
    path = _path(change["path"])
    kind = change.get("kind") or FILE
    where = _resolve(root, path, follow=kind == FILE)
    before = look(where)
    expected = change.get("expected_sha256")
    if expected is not None and not _SHA256.match(expected):
        raise ChangeError(f"{path}: expected_sha256 {expected[:70]!r}, must be 64 hex digits")
    if kind == ABSENT:
        after = Look(ABSENT)
    elif kind == LINK:
        if not change.get("target") or "\0" in change["target"]:
            raise ChangeError(f"{path}: target is missing, a link must have one")
        after = Look(LINK, target=change["target"])
    elif kind == FILE:
        was = before if before.kind == FILE else Look(FILE, mode=0o644)
        after = Look(
            FILE,
            content=_content(path, change),
            mode=_mode(path, change.get("mode"), was.mode),
            uid=_number(path, "owner", change.get("owner"), was.uid),
            gid=_number(path, "group", change.get("group"), was.gid),
            xattrs=was.xattrs,
        )
    else:
        raise ChangeError(f"{path}: kind {kind!r}, must be file, link or absent")
    return Planned(path, where, before, after, expected)


def _path(path: str) -> str:
    if not path.startswith("/") or os.path.normpath(path) != path or not path.isprintable():
        raise ChangeError(f"path {path!r}: must be absolute and plain")
    return path


def _resolve(root: str, path: str, follow: bool) -> str:
    below = os.path.join(root, path.lstrip("/"))
    if follow and os.path.islink(below):
        return os.path.realpath(below)  # the link stays, what it leads to is changed
    return os.path.join(os.path.realpath(os.path.dirname(below)), os.path.basename(below))


def _content(path: str, change: Mapping[str, Any]) -> bytes:
    text, encoded = change.get("content"), change.get("content_b64")
    if (text is None) == (encoded is None):
        raise ChangeError(f"{path}: must have either content or content_b64")
    if encoded is None:
        return str(text).encode("utf-8", "surrogateescape")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ChangeError(f"{path}: content_b64 is not base64: {error}") from error


def _mode(path: str, mode: str | None, otherwise: int) -> int:
    if mode is None:
        return otherwise
    if not re.match(r"\A0?[0-7]{3,4}\Z", mode):
        raise ChangeError(f'{path}: mode {mode!r}, must be octal like "0644"')
    return int(mode, 8)


def _number(path: str, what: str, name: str | None, otherwise: int) -> int:
    if name is None:
        return otherwise
    try:
        return pwd.getpwnam(name).pw_uid if what == "owner" else grp.getgrnam(name).gr_gid
    except KeyError:
        if name.isdigit():
            return int(name)
        raise ChangeError(f"{path}: {what} {name!r} is unknown on this host") from None


def _unit(wish: Mapping[str, Any]) -> UnitWish:
    state = wish.get("state") or "unchanged"
    if state not in ("started", "restarted", "unchanged"):
        raise ChangeError(
            "unit {}: state {!r}, must be started, restarted or unchanged".format(
                wish["name"], state
            )
        )
    return UnitWish(
        name=_unit_name(wish["name"]),
        daemon_reload=bool(wish.get("daemon_reload")),
        enabled=wish.get("enabled"),
        state=state,
        reset_failed=bool(wish.get("reset_failed")),
        always=bool(wish.get("always")) and state == "restarted",
    )


def _unit_name(name: str) -> str:
    full = name if "." in name else name + ".service"
    if not _UNIT.match(full):
        raise ChangeError(f"unit {name!r}: must be a unit name such as notify.service")
    return full


def _found(before: Look) -> str:
    return "link to " + before.target if before.kind == LINK else before.sha256


def _short(sha256: str | None) -> str:
    if not sha256:
        return "that of no file"
    return sha256[:12] if _SHA256.match(sha256) else sha256


def _shown(thing: Look) -> str:
    if thing.kind == LINK:
        return f"link to {thing.target}\n"
    text = thing.content.decode("utf-8", "backslashreplace")
    # A diff goes to a terminal: nothing in the file may steer it.
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _header(path: str, thing: Look, other: Look) -> str:
    if thing.kind == ABSENT:
        return path + " (absent)"
    rights = (thing.mode, thing.uid, thing.gid)
    if thing.kind == FILE and other.kind == FILE and rights != (other.mode, other.uid, other.gid):
        return "{} ({:04o} {}:{})".format(path, *rights)
    return path
