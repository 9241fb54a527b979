"""What has to be set, in the words of each server and framework.

Sources: the settings pages of each project (uvicorn, gunicorn, hypercorn, Puma, Node.js http,
Go net/http, Spring Boot, Kestrel, PHP-FPM, Django, Flask, Express), as of their present releases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class Speech:
    """Each field is a clause that stands after "set" or by itself; "" says nothing of its own.

    ``stop`` bounds how long a stop waits for open streams. ``lifetime`` is what ends an answer
    after a fixed time, though it is busy. ``comment`` sends a keep-alive comment at once.
    ``plain`` leaves a stream out of compression. ``content_type`` names the media type.
    ``many`` is how it holds many streams open. ``unbuffered`` is how each event leaves at once.
    """

    stop: str = ""
    lifetime: str = ""
    comment: str = ""
    plain: str = ""
    content_type: str = ""
    many: str = ""
    unbuffered: str = ""

    def over(self, other: Speech) -> Speech:
        """These words, and the other's where there are none."""
        empty = {f.name: getattr(other, f.name) for f in fields(self) if not getattr(self, f.name)}
        return replace(self, **empty)


SPEECH: Mapping[str, Speech] = {
    "": Speech(
        stop="the time for which the server waits for open connections when it stops",
        lifetime="the write or request timeout of the server, which must not apply to streams",
        comment="write ': ping\\n\\n' and flush",
        plain="leave text/event-stream out of what the compression covers, or send "
        "'Cache-Control: no-cache, no-transform'",
        content_type="set 'Content-Type: text/event-stream' before the first byte",
        many="serve the streams by an asynchronous server, or with more threads than streams",
        unbuffered="flush after every event, and turn off what collects the body",
    ),
    "UVICORN": Speech(
        stop="uvicorn --timeout-graceful-shutdown 5 (its default waits for ever)",
        lifetime="no setting of uvicorn: it never ends a running answer (--timeout-keep-alive is "
        "about idle connections), so the limit is in the app or a middleware",
        comment="yield ': ping\\n\\n' from the generator; sse-starlette sends one every ping=15 s",
        plain="GZipMiddleware of older Starlette releases compresses streams too: upgrade, or add "
        "the middleware to the other routes only",
        content_type="StreamingResponse(..., media_type='text/event-stream') or "
        "sse_starlette.EventSourceResponse",
        many="one uvicorn worker holds thousands of streams as long as the handler is async",
        unbuffered="an async generator whose every yield is one event; a middleware built on "
        "BaseHTTPMiddleware must become a pure ASGI one",
    ),
    "HYPERCORN": Speech(
        stop="hypercorn --graceful-timeout 5 (default 3 s)",
        lifetime="hypercorn's response_timeout in its configuration file (off unless it is set)",
        comment="yield b': ping\\n\\n' from the async generator; in Quart: response.timeout = None",
        many="hypercorn's asyncio worker (-k asyncio) holds thousands of streams",
    ),
    "DAPHNE": Speech(
        stop="daphne --application-close-timeout 5",
        lifetime="daphne --http-timeout (off unless it is given)",
        comment="yield b': ping\\n\\n' from the async generator",
        many="daphne holds thousands of streams as long as the view is async",
    ),
    "GUNICORN": Speech(
        stop="gunicorn --graceful-timeout 5 (default 30 s)",
        lifetime="gunicorn --timeout (default 30 s): a sync worker that streams is killed by it",
        comment="yield ': ping\\n\\n' from the generator",
        many="gunicorn -k gevent --worker-connections 1000, or -k gthread --threads 100 (more than "
        "the streams you expect), or -k uvicorn.workers.UvicornWorker for an ASGI app",
        unbuffered="an iterator that yields each event by itself; gunicorn sends each at once",
    ),
    "WAITRESS": Speech(
        lifetime="waitress --channel-timeout (120 s without activity)",
        comment="yield b': ping\\n\\n' from the iterator",
        many="waitress --threads N with more threads than streams (default 4), or a server with "
        "greenlets (gunicorn -k gevent)",
        unbuffered="waitress --send-bytes 1 (old releases hold back up to 18000 bytes)",
    ),
    "UWSGI": Speech(
        stop="uwsgi --worker-reload-mercy 5 (default 60 s)",
        lifetime="uwsgi --harakiri and --http-timeout (60 s)",
        many="uwsgi --gevent 1000, or --threads N with more threads than streams",
        unbuffered="uwsgi --http-socket with --gevent; its --http router may hold small writes",
    ),
    "EVENTLET": Speech(
        unbuffered="eventlet.wsgi.server(..., minimum_chunk_size=1), or in the environ "
        "environ['eventlet.minimum_write_chunk_size'] = 1 (default 4096)",
    ),
    "GUNICORN/eventlet": Speech(
        unbuffered="environ['eventlet.minimum_write_chunk_size'] = 1 in the view, or -k gevent"
    ),
    "WERKZEUG": Speech(
        many="run it by gunicorn -k gevent instead of the development server",
    ),
    "NODE": Speech(
        stop="on SIGTERM call server.close() and end every open stream (res.end()), or "
        "server.closeAllConnections() after 5 s",
        lifetime="server.setTimeout(0) and req.setTimeout(0) (Node before 13 ends an answer after "
        "120 s by server.timeout); requestTimeout, headersTimeout and keepAliveTimeout do not "
        "concern a running answer",
        comment="res.write(': ping\\n\\n') in a setInterval of 15000 ms",
        plain="compression({filter: (req, res) => !/event-stream/.test(String(res.getHeader("
        "'Content-Type'))) && compression.filter(req, res)}), or res.flush() after each write",
        content_type="res.writeHead(200, {'Content-Type': 'text/event-stream', 'Cache-Control': "
        "'no-cache, no-transform'}); res.flushHeaders()",
        many="Node holds thousands of streams as long as nothing blocks its event loop",
        unbuffered="res.flushHeaders() at once and res.flush() after each res.write() where the "
        "compression middleware is in use",
    ),
    "Next.js": Speech(
        lifetime="maxDuration of the route (and the platform's own limit); proxyTimeout of "
        "rewrites (experimental.proxyTimeout, default 30 s)",
        plain="compress: false in next.config.js, or Cache-Control: no-cache, no-transform",
        content_type="new Response(stream, {headers: {'Content-Type': 'text/event-stream', "
        "'Cache-Control': 'no-cache, no-transform'}})",
        unbuffered="return a ReadableStream at once and enqueue each event by itself",
    ),
    "NestJS": Speech(
        content_type="@Sse() on the handler, which must return an Observable<MessageEvent>",
        comment="merge(interval(15000).pipe(map(() => ({type: 'ping', data: ''}))), events)",
    ),
    "JVM": Speech(
        stop="server.shutdown=graceful with spring.lifecycle.timeout-per-shutdown-phase=5s in "
        "Spring Boot; elsewhere the server's stop timeout",
        lifetime="the asynchronous timeout of the servlet container (asyncContext.setTimeout(0))",
        comment='emitter.send(SseEmitter.event().comment("ping")) every 15 s by a scheduler',
        plain="server.compression.mime-types without text/event-stream",
        content_type="produces = MediaType.TEXT_EVENT_STREAM_VALUE",
        many="asynchronous handling (SseEmitter, WebFlux): an open stream then holds no thread",
        unbuffered="response.flushBuffer() after every event",
    ),
    "Spring": Speech(
        stop="server.shutdown=graceful and spring.lifecycle.timeout-per-shutdown-phase=5s "
        "(default 30s)",
        lifetime="new SseEmitter(0L), or spring.mvc.async.request-timeout=-1 (default of Tomcat: "
        "30 s)",
        comment='emitter.send(SseEmitter.event().comment("ping")) every 15 s by @Scheduled',
        plain="server.compression.mime-types without text/event-stream",
        content_type="@GetMapping(produces = MediaType.TEXT_EVENT_STREAM_VALUE)",
    ),
    "GO": Speech(
        stop="a context with a timeout of 5 s for http.Server.Shutdown, then Close(); "
        "RegisterOnShutdown to end the streams",
        lifetime="http.Server{WriteTimeout: 0, ReadHeaderTimeout: 10*time.Second}, or for the "
        "stream alone http.NewResponseController(w).SetWriteDeadline(time.Time{}) (each wrapper of "
        "the ResponseWriter needs an Unwrap method)",
        comment='fmt.Fprint(w, ": ping\\n\\n") and Flush() by a time.Ticker of 15 s',
        plain="the compression handler must leave out text/event-stream and pass on http.Flusher",
        content_type='w.Header().Set("Content-Type", "text/event-stream") before the first write '
        "(net/http guesses text/plain otherwise)",
        many="Go holds thousands of streams, a goroutine for each",
        unbuffered="http.NewResponseController(w).Flush() after every event",
    ),
    "RUST": Speech(
        stop="axum::serve(...).with_graceful_shutdown(...) and an end of the streams by a "
        "CancellationToken; actix-web: HttpServer::shutdown_timeout(5)",
        lifetime="tower_http::timeout::TimeoutLayer and the like on the other routes only",
        comment="Sse::new(stream).keep_alive(KeepAlive::new().interval(15 s)) in axum",
        plain="CompressionLayer::new().compress_when(DefaultPredicate::new()), which leaves out "
        "text/event-stream in present releases of tower-http",
        content_type='axum::response::sse::Sse, or .content_type("text/event-stream") in actix-web',
        unbuffered="a stream whose items are single events",
    ),
    "actix-web": Speech(
        comment="actix_web_lab::sse::Sse::with_keep_alive(Duration::from_secs(15))",
        plain="Content-Encoding: identity on the answer, which actix-web's Compress leaves alone",
    ),
    "KESTREL": Speech(
        stop="HostOptions.ShutdownTimeout = TimeSpan.FromSeconds(5) (default 30 s), and "
        "IHostApplicationLifetime.ApplicationStopping to end the streams",
        lifetime="RequestTimeouts middleware: DisableRequestTimeout() on the endpoint; "
        "MinResponseDataRate = null in the limits of Kestrel",
        comment='await Response.WriteAsync(": ping\\n\\n"); await Response.Body.FlushAsync()',
        plain="ResponseCompressionOptions.MimeTypes without text/event-stream",
        content_type='Response.ContentType = "text/event-stream", or TypedResults.ServerSentEvents',
        unbuffered="HttpContext.Features.Get<IHttpResponseBodyFeature>().DisableBuffering() and "
        "FlushAsync() after every event",
    ),
    "IIS": Speech(
        plain='<urlCompression doDynamicCompression="false"/> for the path of the stream',
        unbuffered='IHttpResponseBodyFeature.DisableBuffering(), responseBufferLimit="0" for the '
        "handler in web.config and, with ARR, its response buffer threshold 0",
    ),
    "PUMA": Speech(
        stop="force_shutdown_after 5 in config/puma.rb (and worker_shutdown_timeout in cluster "
        "mode, default 30)",
        lifetime="Rack::Timeout, which must leave out the path of the stream",
        comment='response.stream.write(": ping\\n\\n") in ActionController::Live',
        many="threads 5, N with more threads than streams, or ActionCable/Falcon for thousands",
        unbuffered="ActionController::Live, with 'Last-Modified' set so that Rack::ETag does not "
        "collect the body",
    ),
    "Rails": Speech(
        content_type="response.headers['Content-Type'] = 'text/event-stream' in a controller with "
        "ActionController::Live",
        plain="Rack::Deflater with if: ->(*, h, _) { !h['Content-Type'].to_s.include?('event-"
        "stream') }",
    ),
    "PHP_FPM": Speech(
        stop="process_control_timeout = 5 in php-fpm.conf",
        lifetime="set_time_limit(0) in the script and request_terminate_timeout = 0 for its pool",
        comment='echo ": ping\\n\\n"; ob_flush(); flush();',
        plain="zlib.output_compression = Off for the script",
        content_type="header('Content-Type: text/event-stream') before the first output",
        many="a pool of its own for the streams with pm.max_children above the streams expected",
        unbuffered="while (ob_get_level()) ob_end_flush(); and flush() after every event; "
        "session_write_close() before the loop",
    ),
    "Django": Speech(
        comment="yield ': ping\\n\\n' from the async generator",
        content_type="StreamingHttpResponse(events(), content_type='text/event-stream')",
        plain="GZipMiddleware out of MIDDLEWARE, or a 'Content-Encoding: identity' header on the "
        "answer, which it leaves alone",
        unbuffered="StreamingHttpResponse over an async generator (Django 4.2 or newer, under "
        "ASGI); a sync one is collected whole",
    ),
    "Flask": Speech(
        comment="yield ': ping\\n\\n' from the generator",
        content_type="Response(stream_with_context(events()), mimetype='text/event-stream')",
        plain="COMPRESS_MIMETYPES without text/event-stream, and COMPRESS_STREAMS = False",
    ),
}
