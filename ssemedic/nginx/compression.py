"""Whether nginx compresses event streams, and by which line."""

from __future__ import annotations

from .route import Route
from .settings import Setting

EVENT_STREAM = "text/event-stream"


def zipping(found: Route) -> Setting | None:
    """The gzip_types line that covers event streams; None where they are not compressed."""
    switch = found.setting("gzip").values
    if not switch or switch[0] != ("on",):
        return None
    types = found.setting("gzip_types")
    named = {arg.lower() for args in types.values for arg in args}
    return types if named & {"*", EVENT_STREAM} else None


def zips(found: Route) -> bool:
    """True if a client that takes gzip gets an event stream compressed by nginx."""
    return zipping(found) is not None
