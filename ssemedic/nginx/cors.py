"""Which page of another origin nginx itself lets read an answer."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from .route import Route

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d+)?")


def allowed_origin(found: Route) -> str | None:
    """The first origin that an `add_header` in force allows by name, the URL's own left out.

    An admin who names it means that a page of it opens the stream.
    """
    parts = urlsplit(found.url)
    own = f"{parts.scheme}://{parts.netloc}".lower()
    for args in found.setting("add_header").values:
        named = len(args) > 1 and args[0].lower() == "access-control-allow-origin"
        if named and _ORIGIN.fullmatch(args[1]) and args[1].lower() != own:
            return args[1]
    return None
