"""When two lines of a configuration cannot stand side by side, and when they say the same."""

from __future__ import annotations

from .versions import FAMILIES, seconds

#: Directives of which every argument counts by itself; several lines add up.
LISTS = frozenset(
    {"brotli_types", "gzip_types", "sub_filter_types", "zstd_types"}
    | {f"{family}_ignore_headers" for family in FAMILIES}
)
#: Array directives of whose lines each has a key of its own: the first argument.
_KEYED = frozenset(
    {
        "access_log", "add_header", "add_trailer", "allow", "auth_request_set", "deny",
        "error_page", "grpc_set_header", "limit_conn", "limit_req", "proxy_cookie_path",
        "proxy_set_header", "sub_filter",
    }
    | {f"{family}_{rest}" for family in FAMILIES for rest in ("hide_header", "pass_header")}
    | {f"{family}_param" for family in FAMILIES}
)  # fmt: skip
_WHOLE = _KEYED | LISTS
#: Directives that run one after another; none replaces another.
STEPS = frozenset({"break", "if", "rewrite", "set"})


def is_array(name: str) -> bool:
    """Lines of it stand side by side, and hide those of the outer levels together."""
    return name in _WHOLE


def same(name: str, args: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """The second line of this directive has to go where the first one stands: a scalar, or
    the same key of an array."""
    if name in STEPS or name in LISTS:
        return args == other
    if name == "access_log" and ("off",) in (args[:1], other[:1]):
        return True
    if name == "error_page":
        return bool(_codes(args) & _codes(other))
    if name in _WHOLE:
        return bool(args and other) and args[0].lower() == other[0].lower()
    return True


def equal(name: str, args: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """The same value: header names in any case, times in any unit, lists in any order."""
    if args == other:
        return True
    if name in STEPS:
        return False
    if name in LISTS:
        return {arg.lower() for arg in args} <= {arg.lower() for arg in other}
    if name in _WHOLE:
        return same(name, args, other) and args[1:] == other[1:]
    if name.endswith("_timeout") and len(args) == len(other) == 1:
        wished = seconds(args[0])
        return wished is not None and wished == seconds(other[0])
    return False


def speaks_of(name: str, args: tuple[str, ...], key: str) -> bool:
    """The line is the one that a wish names by the directive and one argument."""
    counted = args if name in LISTS else args[:1]
    return any(arg.lower() == key.lower() for arg in counted)


def rest_without(name: str, args: tuple[str, ...], key: str) -> tuple[str, ...]:
    """What a line still has to say once the argument is gone; nothing for most directives."""
    if name not in LISTS:
        return ()
    return tuple(arg for arg in args if arg.lower() != key.lower())


def _codes(args: tuple[str, ...]) -> set[str]:
    return {arg for arg in args[:-1] if arg.isdigit()}
