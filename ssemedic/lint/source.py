"""The configuration to judge: a folder, a file or a dump, as the host would see it."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ssemedic.nginx import (
    ConfigError,
    Tree,
    files_on_disk,
    is_dump,
    parse,
    quoted,
    read_dump,
    read_tree,
    tree_of_dump,
)

PREFIX = "/etc/nginx"
MAX_LINKS = 40  # as the kernel
#: A file of one of these folders is included in the http block of nginx.conf.
_INCLUDED = frozenset({"conf.d", "sites-enabled", "sites-available", "vhosts.d", "http.d"})
_WRAPPER = "nginx.conf made up around it"


@dataclass(frozen=True)
class Configuration:
    """A tree whose files have the names they have on the host. ``folder`` is where the host's
    ``prefix`` lies here, "" where names are the same."""

    tree: Tree = field(repr=False)
    name: str
    prefix: str = PREFIX
    folder: str = ""

    def here(self, text: str) -> str:
        """The text with every file:line of the host as it is found here."""
        if not self.folder:
            return text
        place = re.compile(rf"(?<![\w./-]){re.escape(self.prefix)}/(?=[^\s:]+:\d)")
        return place.sub(lambda _: f"{self.folder}/", text)

    def path(self, name: str) -> str:
        """A file of the host as it is found here."""
        inside = self.folder and name.startswith(f"{self.prefix}/")
        return self.folder + name[len(self.prefix) :] if inside else name


def read_dumped(content: bytes, name: str) -> Configuration:
    """What `nginx -T` printed. Raises `ConfigError`."""
    dump = read_dump(content, name)
    return Configuration(tree_of_dump(dump, name), name)


def read_configuration(path: Path, prefix: str = PREFIX) -> Configuration:
    """A folder with an nginx.conf, an nginx.conf, a file that it includes, or a dump.

    ``prefix`` is what the folder is on the host. Raises `ConfigError` for what nginx could
    not read, OSError where the path cannot be.
    """
    main = path / "nginx.conf" if path.is_dir() else path
    if path.is_dir() and not main.exists():
        raise ConfigError(f"{path}: holds no nginx.conf")
    content = main.read_bytes()
    if is_dump(content):
        return read_dumped(content, str(path))
    prefix = prefix.rstrip("/")
    names = {directive.name for directive in parse(str(main), content).directives}
    folder = _folder(main, names)
    on_host = f"{prefix}/{os.path.relpath(main, folder or '.')}"
    disk = _Disk(prefix, folder)
    made_up = _made_up(names, on_host)
    same = os.path.realpath(folder or ".") == os.path.realpath(prefix)
    found = Configuration(Tree("", {}, {}), str(path), prefix, "" if same else folder or ".")
    try:
        tree = read_tree(
            f"{prefix}/{_WRAPPER}" if made_up else on_host,
            lambda name: made_up if made_up and name.endswith(_WRAPPER) else disk.read(name),
            disk.expand,
        )
    except ConfigError as error:
        raise ConfigError(found.here(str(error))) from error
    return replace(found, tree=replace(tree, links=disk.links(tree)))


def _folder(main: Path, names: Collection[str]) -> str:
    """The folder that is the host's prefix: that of nginx.conf."""
    included = main.parent.name in _INCLUDED and "http" not in names
    return str(main.parent.parent if included else main.parent)


def _made_up(names: Collection[str], path: str) -> bytes:
    """An nginx.conf for a file that only holds what stands in its http block."""
    if "http" in names or not {"server", "upstream", "map"} & set(names):
        return b""
    return f"events {{}}\nhttp {{ include {quoted(path)}; }}\n".encode()


@dataclass(frozen=True)
class _Disk:
    """Files by the names they have on the host; outside of ``prefix`` there are none, unless
    the host is this machine."""

    prefix: str
    folder: str

    def read(self, name: str) -> bytes:
        return Path(self._followed(name)).read_bytes()

    def expand(self, pattern: str) -> list[str]:
        try:
            found = files_on_disk(self._here(pattern))
        except FileNotFoundError:
            return []
        return [self._there(name) for name in found]

    def links(self, tree: Tree) -> Mapping[str, str]:
        """Which of the files read are links, and what they point to."""
        out = {}
        for name in tree.sources:
            if name.endswith(_WRAPPER) or not Path(self._here(name)).is_symlink():
                continue
            out[name] = self._there(self._followed(name))
        return out

    def _followed(self, name: str) -> str:
        """Where a file lies here; links that point to the host's names are followed, too."""
        for _ in range(MAX_LINKS):
            path = Path(self._here(name))
            if not path.is_symlink():
                return str(path)
            target = str(path.readlink())
            name = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        raise OSError(40, "is a loop of links", name)

    def _here(self, name: str) -> str:
        if name.startswith(f"{self.prefix}/"):
            return self.folder + name[len(self.prefix) :]
        if os.path.realpath(self.folder) != os.path.realpath(self.prefix):
            raise FileNotFoundError(2, f"is outside of {self.prefix}, so it is not here", name)
        return name

    def _there(self, name: str) -> str:
        inside = name == self.folder or name.startswith(f"{self.folder}/")
        return self.prefix + name[len(self.folder) :] if inside else name
