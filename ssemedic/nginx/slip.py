"""Names that are meant to be another one: a slip of the pen in server_name."""

from __future__ import annotations

from itertools import zip_longest

#: A label shorter than this many letters is as likely a name of its own ("api", "app").
_LONG = 6


def is_slip(written: str, meant: str) -> bool:
    """True if ``written`` in server_name can only have been meant as the host name ``meant``.

    With a scheme, a port or a path, nginx compares the whole word and it never fits. ``www.``
    too many or too few counts as a slip; so do two letters in the wrong order, and one letter
    too many or too few in a long label. Another digit or another letter makes another name.
    """
    name, host = written.lower().rstrip("."), meant.lower().rstrip(".")
    if name == host or not name or not any(letter.isalpha() for letter in host):
        return False
    if _bare(name) == host:
        return True
    return _without_www(name) == _without_www(host) or _one_letter(name, host)


def _bare(name: str) -> str:
    """The host name in something that looks like a URL."""
    rest = name.partition("://")[2] or name
    return rest.partition("/")[0].rpartition(":")[0] or rest.partition("/")[0]


def _without_www(name: str) -> str:
    return name[4:] if name.startswith("www.") else name


def _one_letter(name: str, host: str) -> bool:
    pairs = list(zip_longest(name.split("."), host.split("."), fillvalue=""))
    differ = [(one, other) for one, other in pairs if one != other]
    return len(differ) == 1 and _label(*differ[0])


def _label(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    at = _alike(shorter, longer)
    if len(one) == len(other):
        swapped = one[:at] + one[at + 1 : at + 2] + one[at : at + 1] + one[at + 2 :]
        return swapped == other and one[at : at + 2].isalpha()
    if len(longer) - len(shorter) != 1 or len(longer) < _LONG:
        return False
    plural = at == len(shorter) and longer[at] == "s"
    return shorter == longer[:at] + longer[at + 1 :] and longer[at].isalpha() and not plural


def _alike(one: str, other: str) -> int:
    """How many letters both begin with."""
    for count in range(min(len(one), len(other))):
        if one[count] != other[count]:
            return count
    return min(len(one), len(other))
