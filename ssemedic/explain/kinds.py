"""Each kind of symptom as people meet it: what they see, what they search for, when it is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ssemedic.symptoms import Kind


@dataclass(frozen=True)
class Met:
    """A kind of symptom. ``seen`` is what a person with a browser sees, ``wire`` what a recorder
    measures, ``gone`` how it looks once the cause is out of the way; ``searched`` are words that
    people look for."""

    seen: str
    wire: str
    gone: str
    searched: tuple[str, ...]


KINDS: Mapping[Kind, Met] = {
    Kind.UNREACHABLE: Met(
        "The browser never connects; the console says that the name or the network fails.",
        "No connection: the name does not resolve, or no packet comes back.",
        "`curl -v URL` says \"Connected to\".",
        ("net::ERR_NAME_NOT_RESOLVED", "net::ERR_CONNECTION_TIMED_OUT", "ERR_ADDRESS_UNREACHABLE",
         "no route to host", "could not resolve host", "connection timed out"),
    ),
    Kind.REFUSED: Met(
        "EventSource fails at once and tries again for ever; nginx answers 502 in its place.",
        "The connection is refused: nobody listens at that address and port.",
        "`ss -ltnp` shows a listener at the port, and `curl -v` connects.",
        ("net::ERR_CONNECTION_REFUSED", "connection refused", "connect() failed (111",
         "502 bad gateway", "nothing listens"),
    ),
    Kind.TLS_ERROR: Met(
        "The browser warns of the certificate, or fails without a word for an EventSource.",
        "The TLS handshake fails before any request is sent.",
        "`curl -v https://...` shows the handshake and a certificate that it trusts.",
        ("net::ERR_CERT_AUTHORITY_INVALID", "net::ERR_SSL_PROTOCOL_ERROR", "ERR_CERT_DATE_INVALID",
         "certificate has expired", "SSL handshake failed", "tlsv1 alert"),
    ),
    Kind.NOT_HTTP: Met(
        "The request fails at once; over HTTP/2 the console speaks of a protocol error.",
        "Something answers, and it is not HTTP, or HTTP/2 that its own rules forbid.",
        "`curl -v --http1.1 URL` and `curl -v --http2 URL` both show a status line.",
        ("net::ERR_INVALID_HTTP_RESPONSE", "net::ERR_HTTP2_PROTOCOL_ERROR",
         "ERR_HTTP2_PROTOCOL_ERROR 200 (OK)", "received HTTP/0.9 when not allowed",
         "the network connection was lost"),
    ),
    Kind.NO_ANSWER: Met(
        "The request stays \"pending\" in the network panel, readyState is 0, onopen never fires.",
        "Connected and asked, and not one byte came back, not even a status line.",
        "`curl -N -i URL` shows the status line and headers within a second.",
        ("stays pending", "pending forever", "provisional headers are shown", "readyState 0",
         "onopen never fires", "stuck connecting", "504 gateway time-out",
         "upstream timed out while reading response header"),
    ),
    Kind.HEADERS_LATE: Met(
        "The stream opens only after seconds, often together with its first event.",
        "The headers come long after the request, with the first event.",
        "`curl -N -o /dev/null -w '%{time_starttransfer}' -m 3 URL` says well under a second.",
        ("opens late", "onopen late", "slow to connect", "onopen fires only with the first event",
         "waits for the first message", "TTFB"),
    ),
    Kind.WRONG_STATUS: Met(
        "EventSource fails at once, readyState is 2, and it does not try again.",
        "The answer has another status than 200.",
        "`curl -i URL` shows `HTTP/1.1 200` and `content-type: text/event-stream`.",
        ("readyState 2", "EventSource failed", "401 unauthorized", "403 forbidden", "404 not found",
         "502 bad gateway", "504 gateway time-out", "EventSource's response has a status",
         "does not reconnect"),
    ),
    Kind.HTML_INSTEAD: Met(
        "The console says that the MIME type is text/html; readyState is 2.",
        "A whole HTML page comes with status 200: a login, a single-page app, an error page.",
        "`curl -i URL` shows `content-type: text/event-stream`, and no `<!doctype html>`.",
        ("MIME type text/html", "EventSource's response has a MIME type (\"text/html\")",
         "that is not \"text/event-stream\". Aborting the connection", "returns index.html",
         "unexpected token <", "login page instead of stream"),
    ),
    Kind.WRONG_TYPE: Met(
        "The console says that the MIME type is not text/event-stream; readyState is 2.",
        "Status 200 with another content type, such as application/json or text/plain.",
        "`curl -i URL` shows `content-type: text/event-stream`.",
        ("MIME type application/json", "MIME type text/plain", "wrong content type",
         "EventSource's response has a charset", "content-type text/event-stream missing"),
    ),
    Kind.CLOSED_AT_ONCE: Met(
        "readyState goes to 1 and back to 0 within milliseconds, onerror fires, again and again.",
        "200 and text/event-stream, and the connection ends before the first event.",
        "`curl -N URL` stays open and shows a first event or comment.",
        ("readyState 1 then 0", "opens and closes immediately", "connects and disconnects",
         "onerror right after onopen", "reconnect loop", "fires onerror immediately",
         "net::ERR_EMPTY_RESPONSE", "net::ERR_INCOMPLETE_CHUNKED_ENCODING"),
    ),
    Kind.ENDED: Met(
        "The stream works, ends after some events, and the browser opens it again.",
        "A clean end by the server after some events.",
        "`curl -N -m 120 URL` is still open when its time is up (exit code 28).",
        ("stream ends", "closes after first message", "reconnects after every message",
         "closes after one event", "reconnects constantly"),
    ),
    Kind.CUT_WHEN_IDLE: Met(
        "The stream drops whenever nothing was said for a while, often 60 seconds.",
        "Broken off a fixed time after the last byte, without the final chunk.",
        "`curl -N -m 120 URL` outlives the silence: a comment line comes before every limit.",
        ("every 60 seconds", "every 30 seconds", "drops when idle", "disconnects after a minute",
         "net::ERR_INCOMPLETE_CHUNKED_ENCODING", "upstream timed out while reading upstream",
         "connection lost after inactivity", "every 100 seconds", "error 524",
         "net::ERR_HTTP2_PROTOCOL_ERROR"),
    ),
    Kind.CUT_AFTER: Met(
        "The stream drops a fixed time after it was opened, however busy it is.",
        "Broken off a fixed time after its start.",
        "`curl -N -m 180 URL` lives longer than it did before.",
        ("disconnects after exactly 30 seconds", "every 15 seconds", "every 2 minutes",
         "every 5 minutes", "fixed timeout", "maximum duration", "worker timeout",
         "net::ERR_INCOMPLETE_CHUNKED_ENCODING", "write timeout"),
    ),
    Kind.RESET: Met(
        "The stream or the attempt breaks off with a network error.",
        "The connection is reset (TCP RST, or RST_STREAM in HTTP/2).",
        "`curl -N URL` ends only when you end it; `curl: (56)` and `(92)` are gone.",
        ("net::ERR_CONNECTION_RESET", "ECONNRESET", "socket hang up", "connection reset by peer",
         "net::ERR_HTTP2_PROTOCOL_ERROR", "stream was not closed cleanly", "curl: (92)",
         "broken pipe"),
    ),
    Kind.BUFFERED: Met(
        "Nothing for a long time, then all events at once; or all of them when the server stops.",
        "Events that the inner hop sends one by one arrive late and together, or not at all.",
        "`curl -N URL` shows each event when it is sent, at nginx as at the app.",
        ("fires only when the server stops", "all events arrive at once", "events come in bursts",
         "works with curl not in browser", "buffered", "delayed events",
         "only after the response ends",
         "works locally but not behind nginx", "works on localhost not in production",
         "X-Accel-Buffering", "messages arrive in batches"),
    ),
    Kind.SILENT: Met(
        "The stream is open (readyState 1), and no message ever comes.",
        "200 and text/event-stream, and not one byte in the whole window.",
        "`curl -N URL` shows at least a comment within the keep-alive time.",
        ("no messages but connected", "onmessage never fires", "onmessage not called",
         "open but no data", "connected but no events"),
    ),
    Kind.NOT_PARSABLE: Met(
        "Bytes arrive in the network panel, and onmessage never fires.",
        "Bytes flow, and no event ever forms: the empty line or the field name is missing.",
        "`curl -N URL | cat -A` shows `data: ...$` and an empty line `$` after each event.",
        ("onmessage never fires", "EventStream tab is empty", "missing double newline",
         "event has no data", "addEventListener not firing", "data prefix"),
    ),
    Kind.COMPRESSED: Met(
        "Works with curl and not in a browser, which asks for compression.",
        "With `Accept-Encoding: gzip` the events are compressed, and may be held for it.",
        "`curl -N --compressed URL` shows each event when it is sent, as without it.",
        ("works with curl not in browser", "gzip event stream", "compression middleware",
         "content-encoding gzip", "Accept-Encoding", "res.flush"),
    ),
    Kind.MISSING_HEADER: Met(
        "Nothing yet; a cache or a proxy on the way may do harm one day.",
        "A header that a stream should have is absent or wrong.",
        "`curl -i URL` shows `cache-control: no-cache` or `no-store`.",
        ("cache-control no-cache", "headers for server-sent events", "no-transform"),
    ),
    Kind.DUPLICATE_CORS: Met(
        "The console says that Access-Control-Allow-Origin has several values; curl sees no fault.",
        "Two Access-Control-Allow-Origin lines, or one with two values.",
        "`curl -i -H 'Origin: https://app.example.org' URL` shows the header once.",
        ("CORS", "header contains multiple values", "multiple values '*, *'",
         "Access-Control-Allow-Origin", "only one is allowed"),
    ),
    Kind.MISSING_CORS: Met(
        "The console says that the page's origin is not allowed; readyState is 2.",
        "No Access-Control-Allow-Origin that fits the page's origin.",
        "`curl -i -H 'Origin: https://app.example.org' URL` shows that origin allowed.",
        ("CORS", "blocked by CORS policy", "No 'Access-Control-Allow-Origin' header is present",
         "Cross-Origin Request Blocked", "withCredentials"),
    ),
    Kind.CANARY_LOST: Met(
        "Tabs are connected and get keep-alives, and a message that was sent never comes.",
        "An event that was published is not delivered to an open stream.",
        "A message sent while `curl -N URL` is open appears there within a second.",
        ("no messages but connected", "heartbeats only", "notification not delivered",
         "published but not received", "NOTIFY not received", "pub/sub message lost"),
    ),
    Kind.REDIRECT_LOOP: Met(
        "Fails after twenty redirects; readyState is 2.",
        "Redirect after redirect, in a circle.",
        "`curl -sIL URL` ends with a 200 after one redirect at most.",
        ("net::ERR_TOO_MANY_REDIRECTS", "too many redirects", "redirect loop",
         "301 trailing slash"),
    ),
    Kind.PREFLIGHT_REFUSED: Met(
        "fetch() fails before the stream is asked for; a plain EventSource works.",
        "OPTIONS is not answered as a cross-origin page needs it.",
        "`curl -i -X OPTIONS -H 'Origin: ...' -H 'Access-Control-Request-Method: GET' URL` allows "
        "it.",
        ("CORS", "Response to preflight request doesn't pass", "OPTIONS 405", "preflight"),
    ),
    Kind.ERROR_WITHOUT_CORS: Met(
        "The console speaks of CORS, and hides that the status was 401 or 502.",
        "Errors come without the CORS headers that the stream itself has.",
        "An error answer to `curl -i -H 'Origin: ...'` carries Access-Control-Allow-Origin, too.",
        ("CORS", "CORS error on 401", "CORS error on 502", "add_header always"),
    ),
    Kind.KEEPALIVE_SLOW: Met(
        "Drops now and then, when the app has nothing to say.",
        "Longer silences than were promised.",
        "`curl -N URL` shows a comment line at least every 25 s.",
        ("keep-alive", "heartbeat", "ping interval", "No activity within 45000 milliseconds",
         "random disconnects"),
    ),
    Kind.NOT_CONFORMING: Met(
        "Some events are lost or garbled, others arrive.",
        "Lines that a browser drops: an unknown field, a wrong retry, bytes that are not UTF-8.",
        "`ssemedic probe URL` remarks nothing.",
        ("some events are lost", "garbled", "multiline data", "broken JSON in event", "BOM"),
    ),
    Kind.WRONG_HOP_HEADER: Met(
        "Nothing: the header does no harm, and no good.",
        "X-Accel-Buffering goes to somebody who has no use for it.",
        "`curl -i URL` shows no X-Accel-Buffering.",
        ("X-Accel-Buffering no", "add_header X-Accel-Buffering"),
    ),
    Kind.LOST_ON_RESUME: Met(
        "Messages of the moment of a reconnect are missing.",
        "Events after the Last-Event-ID are not sent again.",
        "`curl -N -H 'Last-Event-ID: ID' URL` shows what came after that event.",
        ("Last-Event-ID", "missed messages after reconnect", "lost events on reconnect", "resume"),
    ),
    Kind.REPLAYED: Met(
        "Old messages appear again after each reconnect.",
        "Events that were seen already come again.",
        "A second `curl -N URL` begins with what is new.",
        ("duplicate messages", "old messages again", "replay on reconnect", "same event twice"),
    ),
    Kind.FANOUT_PARTIAL: Met(
        "Some tabs get a message, others never do; a reload changes which.",
        "Of several open streams only some receive a published event.",
        "A message sent while three `curl -N URL` are open appears in all of them.",
        ("only some clients receive", "works with one worker", "random clients", "multiple workers",
         "gunicorn workers", "sometimes delivered"),
    ),
    Kind.FEW_STREAMS: Met(
        "The first tabs work, the next one fails.",
        "A further stream of the same client is refused while others are open.",
        "Two more `curl -N URL` beside an open one stay open.",
        ("second tab fails", "503 with several tabs", "limit_conn",
         "too many connections from one IP",
         "429 too many requests"),
    ),
    Kind.NO_ROOM: Met(
        "Some people cannot connect at all; the streams of others go on.",
        "New connections get an empty answer or wait, while open ones live.",
        "As many `curl -N URL` as there are people stay open at the same time.",
        ("worker_connections are not enough", "too many open files", "EMFILE",
         "cannot connect at peak times", "accept4() failed (24", "restart helps for a while"),
    ),
    Kind.BROWSER_REFUSED: Met(
        "The console says \"Failed to fetch\" or \"blocked\"; onerror learns no reason.",
        "Nothing on the wire, or an answer that the browser keeps from its page.",
        "`ssemedic page` opens the stream in the browser: readyState 1, and events.",
        ("Failed to fetch", "NetworkError when attempting to fetch resource", "Mixed Content",
         "Refused to connect because it violates", "Content Security Policy connect-src",
         "ERR_BLOCKED_BY_CLIENT", "ERR_FAILED"),
    ),
    Kind.SIX_CONNECTIONS: Met(
        "The seventh tab hangs, and so does every other request of it.",
        "The server speaks no HTTP/2, so a browser opens six connections to it, for all tabs.",
        "`curl -sI --http2 https://... -o /dev/null -w '%{http_version}'` says 2.",
        ("six connections", "seventh tab", "multiple tabs hang", "max connections per host",
         "all requests pending with many tabs"),
    ),
}  # fmt: skip

#: HTTP statuses as people search for them.
STATUSES: Mapping[int, str] = {
    101: "101 Switching Protocols",
    301: "301 Moved Permanently",
    302: "302 Found",
    307: "307 Temporary Redirect",
    308: "308 Permanent Redirect",
    400: "400 Bad Request",
    401: "401 Unauthorized",
    403: "403 Forbidden",
    404: "404 Not Found",
    405: "405 Method Not Allowed",
    421: "421 Misdirected Request",
    426: "426 Upgrade Required",
    429: "429 Too Many Requests",
    499: "499 in nginx's log",
    500: "500 Internal Server Error",
    501: "501 Not Implemented",
    502: "502 Bad Gateway",
    503: "503 Service Unavailable",
    504: "504 Gateway Time-out",
    505: "505 HTTP Version Not Supported",
    524: "524 A Timeout Occurred",
}
