"""What the configuration of a reverse proxy other than nginx says, in the same words for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Listen:
    """A socket that the configuration asks for. ``address`` is "*" for all of the host's."""

    address: str
    port: int
    tls: bool = False


@dataclass(frozen=True)
class Said:
    """A setting as it is in force for the URL, and where it stands ("" for a default)."""

    value: str
    where: str = ""


@dataclass(frozen=True)
class Way:
    """What a proxy does with one URL.

    ``target`` is "host:port" or "unix:/path", "" where the URL is not passed on. ``path`` is
    what the target is asked for, "" where it is the URL's own. ``host`` is the Host header sent
    on, "" where the client's goes through. ``where`` is file:line of the line that passes it on.

    ``settings`` has the product's own names. Four have one meaning for all products: "idle"
    (seconds of silence after which the stream is ended), "total" (seconds after which it is
    ended in any case), "compresses" and "holds" (why, in the product's words, events wait).
    A setting that does not act on the URL is absent.
    """

    product: str
    where: str
    target: str = ""
    scheme: str = "http"
    path: str = ""
    host: str = ""
    settings: Mapping[str, Said] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
