"""Cross-origin access: Starlette's middleware, and a line in the log for whom it turns away."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

log = logging.getLogger("notify.cors")


class LoggedCors(CORSMiddleware):
    """CORSMiddleware that logs origins which are neither allowed nor the service's own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if origin is not None and not self._may_read(origin, headers.get("host", "")):
                log.warning(
                    "cors origin refused origin=%.200r method=%s path=%.200r",
                    origin,
                    scope["method"],
                    scope["path"],
                )
        await super().__call__(scope, receive, send)

    def _may_read(self, origin: str, host: str) -> bool:
        # Browsers send Origin with same-origin POSTs too; those need no permission.
        return self.is_allowed_origin(origin) or urlsplit(origin).netloc == host
