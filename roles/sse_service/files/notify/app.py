"""The routes: the stream, the messages, the health."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from notify.broker import Broker, BrokerError
from notify.cors import LoggedCors
from notify.hub import Hub, StreamLimitError
from notify.misconfigurations import SessionCookie, fail_after_200, session_of
from notify.stream import EventStream, WorkspaceStream, no_events, workspace_events
from notify.tokens import NAME, Caller, TokenError, verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sse_starlette import ServerSentEvent

    from notify.misconfigurations import Misconfigurations
    from notify.settings import Settings

log = logging.getLogger("notify.app")

LARGEST_BODY = 16 * 1024
LONGEST_TEXT = 4000
RETRY_AFTER = {"Retry-After": "2"}


def create_app(settings: Settings, wrong: Misconfigurations) -> Starlette:
    """The ASGI application; its hub is `app.state.hub`."""
    broker = Broker(settings.nats_url, resubscribe=wrong.resubscribe)
    hub = Hub(broker, settings, wrong)
    app = Starlette(
        routes=[
            Route("/events", events, methods=["GET"]),
            Route("/api/chats/{chat}/messages", post_message, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
        ],
        middleware=[
            Middleware(
                LoggedCors,
                allow_origins=settings.cors_origins,
                allow_credentials=settings.cors_credentials,
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
            ),
            *([Middleware(SessionCookie, wrong.session_cookie)] if wrong.session_cookie else []),
        ],
        exception_handlers={
            TokenError: on_token_refused,
            BrokerError: on_unavailable,
            StreamLimitError: on_unavailable,
            HTTPException: on_http_exception,
        },
        lifespan=keep_broker,
    )
    app.state.settings = settings
    app.state.wrong = wrong
    app.state.broker = broker
    app.state.hub = hub
    return app


@contextlib.asynccontextmanager
async def keep_broker(app: Starlette) -> AsyncIterator[None]:
    """Hold the broker connection as long as the application lives."""
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(app.state.broker.run()),
            tasks.create_task(app.state.hub.sweep()),
        ]
        yield
        for task in running:
            task.cancel()


async def events(request: Request) -> Response:
    """GET /events: verify, subscribe, and only then begin to answer."""
    settings: Settings = request.app.state.settings
    wrong: Misconfigurations = request.app.state.wrong
    if (refusal := wrong.refusal(request)) is not None:
        return refusal
    if wrong.raise_after_200 != "off":
        return EventStream(authorise_too_late(request), settings, wrong)
    if wrong.closes_at_once(request.scope):
        return EventStream(no_events(), settings, wrong)
    hub: Hub = request.app.state.hub
    if wrong.session_only:
        caller = verify(session_of(request), settings.tokens)
    else:
        caller = authorise(request, query=True)
    listener = await hub.join(caller, last_event_id(request))
    return WorkspaceStream(listener, hub, settings, wrong, label(request, caller))


async def authorise_too_late(request: Request) -> AsyncIterator[ServerSentEvent]:
    """The misconfiguration NOTIFY_RAISE_AFTER_200: the checks come after the status line."""
    state = request.app.state
    caller = authorise(request, query=True)
    if state.wrong.raise_after_200 == "on":
        fail_after_200(caller.workspace)
    listener = await state.hub.join(caller, last_event_id(request))
    try:
        async for event in workspace_events(listener, state.hub, state.settings, state.wrong, [0]):
            yield event
    finally:
        state.hub.leave(listener)


async def post_message(request: Request) -> Response:
    """POST /api/chats/{chat}/messages: publish, answer 202 once the broker has it."""
    caller = authorise(request, query=False)
    chat = request.path_params["chat"]
    if not NAME.fullmatch(chat):
        raise HTTPException(400, "the chat id must be 1 to 64 letters, digits, _ or -")
    text = message_text(await limited_body(request))
    message_id = await request.app.state.hub.post(caller, chat, text)
    log.info("message accepted id=%s chat=%s %s", message_id, chat, label(request, caller))
    return JSONResponse({"id": message_id, "status": "sent"}, status_code=202)


async def health(request: Request) -> Response:
    """GET /health: a round trip through the broker, not a guess."""
    state = request.app.state
    report: dict[str, object] = {"streams": state.hub.streams, "workspaces": state.hub.workspaces}
    if state.wrong.health == "blind":
        return JSONResponse({"status": "ok", **report})
    try:
        seconds = await state.broker.round_trip()
    except BrokerError as error:
        broker = {"connected": False, "reason": str(error)}
        return JSONResponse({"status": "unavailable", "broker": broker, **report}, 503)
    broker = {"connected": True, "round_trip_ms": round(seconds * 1000, 1)}
    return JSONResponse({"status": "ok", "broker": broker, **report})


def authorise(request: Request, *, query: bool) -> Caller:
    """The caller of a request. Raises TokenError. A token in the URL counts only if `query`."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    token = credentials.strip() if scheme.lower() == "bearer" else None
    if not token and query:
        token = request.query_params.get("access_token")
    return verify(token, request.app.state.settings.tokens)


def last_event_id(request: Request) -> str | None:
    """Where the client stopped listening, by what EventSource sends when it reconnects."""
    return request.headers.get("last-event-id") or None


def message_text(body: bytes) -> str:
    """The `text` of a message. Raises HTTPException 400."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body must be a JSON object") from None
    text = message.get("text") if isinstance(message, dict) else None
    if not isinstance(text, str) or not 1 <= len(text) <= LONGEST_TEXT:
        raise HTTPException(400, f'"text" must be a string of 1 to {LONGEST_TEXT} characters')
    return text


async def limited_body(request: Request) -> bytes:
    """The body, at most LARGEST_BODY bytes. Raises HTTPException 413."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY:
                raise HTTPException(413, f"the body must be at most {LARGEST_BODY} bytes")
    except ClientDisconnect:
        raise HTTPException(400, "the body is incomplete") from None
    return body


def label(request: Request, caller: Caller) -> str:
    """Who it is about, for the log; `sub` is the issuer's text, so it is quoted."""
    return f"workspace={caller.workspace} sub={caller.subject[:64]!r} client={address(request)}"


def address(request: Request) -> str:
    """The client as uvicorn knows it: from X-Forwarded-For where a trusted proxy set it."""
    return request.client.host[:64] if request.client else "unknown"


async def on_token_refused(request: Request, error: Exception) -> Response:
    """401 or 403 with the reason; the journal gets the same words."""
    assert isinstance(error, TokenError)
    log.warning(
        "auth failed status=%d reason=%s detail=%r method=%s path=%.200r client=%s",
        error.status,
        error.reason,
        error.detail,
        request.method,
        request.url.path,
        address(request),
    )
    return JSONResponse(
        {"error": "unauthorized" if error.status == 401 else "forbidden"}
        | {"reason": error.reason, "detail": error.detail},
        status_code=error.status,
        headers={"WWW-Authenticate": 'Bearer realm="notify"'} if error.status == 401 else None,
    )


async def on_unavailable(request: Request, error: Exception) -> Response:
    """503: the broker is away, or there is no room."""
    log.error("rejected status=503 path=%.200r reason=%r", request.url.path, str(error))
    return JSONResponse(
        {"error": "unavailable", "detail": str(error)}, status_code=503, headers=RETRY_AFTER
    )


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Every other refusal, as JSON."""
    assert isinstance(error, HTTPException)
    if error.status_code != 404:
        log.warning(
            "rejected status=%d path=%.200r reason=%r",
            error.status_code,
            request.url.path,
            error.detail,
        )
    return JSONResponse(
        {"error": "rejected", "detail": error.detail}, error.status_code, headers=error.headers
    )
