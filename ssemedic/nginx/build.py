"""What an nginx binary can do: read from `nginx -V` and from load_module lines."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from .lexer import Directive
from .tree import Tree

#: What third-party modules are called here, by a part of their source folder or file name.
_KNOWN_BY = (
    ("headers-more", "headers_more"),
    ("headers_more", "headers_more"),
    ("brotli", "brotli"),
    ("modsecurity", "modsecurity"),
    ("naxsi", "naxsi"),
    ("zstd", "zstd"),
    ("pagespeed", "pagespeed"),
    ("ndk", "ndk"),
    ("devel_kit", "ndk"),
    ("lua_upstream", "lua_upstream"),
    ("stream_lua", "stream_lua"),
    ("lua", "lua"),
    ("stream_js", "stream_js"),
    ("http_js", "njs"),
    ("njs", "njs"),
    ("nchan", "nchan"),
    ("push_stream", "push_stream"),
    ("echo", "echo"),
    ("cache_purge", "cache_purge"),
    ("subs_filter", "subs_filter"),
    ("geoip2", "geoip2"),
    ("vts", "vts"),
)
#: Modules that are compiled in unless the build says --without-..., and that matter here.
_USUAL = (
    "http_access", "http_auth_basic", "http_autoindex", "http_browser", "http_charset",
    "http_empty_gif", "http_fastcgi", "http_geo", "http_grpc", "http_gzip", "http_limit_conn",
    "http_limit_req", "http_map", "http_memcached", "http_mirror", "http_proxy", "http_referer",
    "http_rewrite", "http_scgi", "http_split_clients", "http_ssi", "http_upstream_hash",
    "http_upstream_ip_hash", "http_upstream_keepalive", "http_upstream_least_conn",
    "http_upstream_random", "http_upstream_zone", "http_userid", "http_uwsgi",
)  # fmt: skip


@dataclass(frozen=True)
class Build:
    """One nginx binary. ``flavour`` is "nginx", "openresty", "tengine", "angie" or
    "freenginx"; ``static`` the modules in the binary, ``dynamic`` those built beside it that
    a load_module line may bring. ``known`` is False where no `nginx -V` was seen."""

    version: str
    flavour: str
    static: frozenset[str]
    dynamic: frozenset[str]
    error_log: str
    access_log: str
    known: bool

    def has(self, module: str, loaded: frozenset[str] = frozenset()) -> bool | None:
        """True if the module works, with these loaded; None where nobody can tell."""
        if module in loaded or module in self.static:
            return True
        return False if self.known else None


def build_of(text: str) -> Build:
    """Read what `nginx -V` prints; text without "configure arguments" gives an unknown build."""
    named = re.search(r"^(?:nginx version|\w+ version): (\w+)/([\d.]+)", text, re.MULTILINE)
    flavour, version = (named[1].lower(), named[2]) if named else ("nginx", "")
    found = re.search(r"configure arguments:(.*)", text)
    if found is None:
        return Build(version, flavour, frozenset(), frozenset(), "", "", known=False)
    static, dynamic = set(_USUAL), set()
    paths = {"--error-log-path": "", "--http-log-path": ""}
    for word in _words(found[1]):
        option, _, value = word.partition("=")
        if option in paths:
            paths[option] = value
        elif option == "--add-module":
            static.add(module_name(value))
        elif option == "--add-dynamic-module":
            dynamic.add(module_name(value))
        elif option.startswith("--without-"):
            static.discard(module_name(option[10:]))
        elif option.startswith("--with-") and option.endswith("_module"):
            (dynamic if value == "dynamic" else static).add(module_name(option[7:]))
    if flavour == "openresty":
        static |= {"lua", "headers_more", "echo", "ndk"}
    return Build(
        version, flavour, frozenset(static), frozenset(dynamic),
        paths["--error-log-path"], paths["--http-log-path"], known=True,
    )  # fmt: skip


def loaded(tree: Tree) -> dict[str, Directive]:
    """The modules that load_module lines bring, and the lines."""
    top = tree.sources[tree.main].directives
    lines = [d for d in tree.flat(top) if d.name == "load_module" and d.args]
    return {module_name(line.args[0]): line for line in lines}


def module_name(text: str) -> str:
    """ "http_v2" of "http_v2_module", "brotli" of "modules/ngx_http_brotli_filter_module.so"."""
    parts = [part for part in text.lower().split("/") if part]
    name = parts[-1] if parts else ""
    if name in ("nginx", "src", "") and len(parts) > 1:
        name = parts[-2]  # njs: .../njs-0.8.0/nginx
    for part, known in _KNOWN_BY:
        if part in name:
            return known
    name = re.sub(r"\.so$", "", name)
    return re.sub(r"_module$", "", re.sub(r"^ngx_", "", name))


def _words(arguments: str) -> list[str]:
    try:
        return shlex.split(arguments)
    except ValueError:
        return arguments.split()
