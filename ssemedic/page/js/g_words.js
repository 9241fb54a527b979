// What a record means, in sentences: the kind of symptom, whose it is, and the next step.

const WHO = {
  server: "the server", proxy: "the proxy in front of the app", cors: "the server's CORS headers", token: "the token",
  devproxy: "the dev proxy", page: "this page", network: "the way to the server", browser: "this browser", none: "nobody",
};
const TEAM = { server: "server team", proxy: "server team", cors: "server team", token: "frontend team", devproxy: "frontend team", page: "frontend team", network: "server team", browser: "you", none: "" };
const WORST = ["bad", "warn", "unknown", "good"];

const said = (level, kind, who, text, next = "") => ({ level, kind, who, text, next });
const worst = (list) => [...list].sort((one, other) => WORST.indexOf(one.level) - WORST.indexOf(other.level))[0];

/** What one fetch record shows. `context`: {token, keepalive, twin, elsewhere}. */
function judgeFetch(record, context) {
  if (record.end.kind === "hidden") return [judgeHidden(record, context)];
  if (record.status === null) return [judgeNoAnswer(record, context)];
  if (record.status !== 200) return [judgeStatus(record, context)];
  const found = [];
  const waited = record.headers_at;
  if (waited > 2) found.push(said("warn", "headers_late", "server", `The headers came only after ${spell(waited)}: the browser shows CONNECTING all that time.`, "Server: send the headers and a first comment (\": ok\") at once, before there is an event."));
  if (contentType(record) !== "text/event-stream") return [...found, judgeType(record)];
  return [...found, ...judgeStream(record, context)];
}

function judgeHidden(record, context) {
  if (record.mixed) return said("bad", "browser_refused", "page", "The browser blocked the request before it left: this page came by https, the stream's URL is http.", "Frontend: open the stream by https too, or through the page's own origin.");
  if (record.policy) return said("bad", "browser_refused", "page", `The page's own Content-Security-Policy forbids it: ${record.policy.directive} does not list ${new URL(record.url).origin}.`, `Frontend: add ${new URL(record.url).origin} to connect-src of the page's policy.`);
  if (record.without_header && record.without_header.status !== null) return said("bad", "preflight_refused", "cors", "Without an Authorization header the browser may read the answer, with it it may not: the preflight (OPTIONS) is refused.", "Server: answer OPTIONS with 204 and Access-Control-Allow-Headers: authorization, before any check of the token.");
  if (record.opaque) return judgeCors(record, context);
  const twin = context.twin && context.twin.record;
  if (twin && twin.status !== null) return said("bad", "browser_refused", "browser", `The server answers the prober on this machine (${twin.status}), but not this browser.`, "Look for an extension, a proxy setting or a certificate that this browser does not trust; try a private window.");
  if (context.twin && context.twin.words) return said("bad", context.twin.kind || "unreachable", "network", `No connection: ${context.twin.words}.`, "Server: is the service running, and listening on this address and port?");
  return said("bad", "browser_refused", "network", "No connection: nobody listens there, the name or certificate is wrong, or an extension blocked it. The browser does not tell which.", "Start ssemedic page on this machine: its prober sees the reason. Or: curl -N URL.");
}

function judgeCors(record, context) {
  const twin = context.twin && context.twin.record;
  const elsewhere = context.elsewhere ? ` This page's origin is ${location.origin}, your app's is ${context.elsewhere}: put this page on the app's origin to be sure.` : "";
  if (twin) {
    const values = twin.headers.filter((pair) => pair[0].toLowerCase() === "access-control-allow-origin").map((pair) => pair[1]);
    const list = values.flatMap((value) => value.split(",")).map((value) => value.trim()).filter(Boolean);
    const origin = context.elsewhere || location.origin;
    if (twin.status !== 200) return said("bad", "error_without_cors", "server", `The "CORS error" hides an answer: the server said ${twin.status}.`, nextForStatus(twin.status, context));
    if (list.length > 1) return said("bad", "duplicate_cors", "cors", `Access-Control-Allow-Origin comes ${list.length} times (${list.join(", ")}), must be once.`, "Server: let either the app or the proxy send it, not both.");
    if (list[0] === "*" && record.credentials) return said("bad", "missing_cors", "cors", "Access-Control-Allow-Origin is *, which no browser takes for a request with cookies.", `Server: answer ${origin} and Access-Control-Allow-Credentials: true; or frontend: leave out withCredentials.`);
    if (context.elsewhere && list[0] === context.elsewhere) return said("unknown", "", "none", `The server allows your app's origin ${origin}, and not this page's: what you see here your app does not see.`, "Open this page on the app's own origin.");
    return said("bad", "missing_cors", "cors", `Access-Control-Allow-Origin is ${list[0] || "missing"}, must be ${origin}.`, `Server: send Access-Control-Allow-Origin: ${origin} with the stream and with errors.${otherOrigin(context)}`);
  }
  const how = record.credentials ? " For a request with cookies it must name the origin (no *), and Access-Control-Allow-Credentials must be true." : "";
  return said("bad", "browser_refused", "cors", `The server answers, and the browser may not read it: Access-Control-Allow-Origin does not fit ${location.origin} (missing, twice, or another).${how}${elsewhere}`, `Server: send Access-Control-Allow-Origin: ${location.origin} once, with errors too. An error without it looks the same: curl -i URL shows the status.`);
}

/** A page that `ssemedic page` serves is of no app's origin. */
const otherOrigin = (context) => (settings.twin && !context.elsewhere ? " Is your app elsewhere? Name its origin under Options: then it is judged for that." : "");

function judgeNoAnswer(record, context) {
  if (record.end.kind !== "limit_time") return said("bad", "no_answer", "server", `The connection closed after ${spell(record.end.at)}, before an answer.`, "Server: look into the log of the app and of the proxy for this moment.");
  const twin = context.twin && context.twin.record;
  if (twin && twin.status !== null) return said("bad", "six_connections", "browser", `Nothing in ${spell(record.end.at)}, while the prober on this machine got ${twin.status} at once: this browser's six connections to the host are taken.`, "Close other tabs of the app. Server: offer HTTP/2, over which all tabs share one connection.");
  return said("bad", "no_answer", "server", `Not even headers in ${spell(record.end.at)}. A proxy that buffers holds them back until there is enough; so does an app that waits for its first event.`, "Server: X-Accel-Buffering: no, or proxy_buffering off; send a comment as soon as the stream opens. If other tabs of the app are open, close them first: a browser has six connections for a host.");
}

function judgeStatus(record, context) {
  const status = record.status;
  const who = status === 401 || status === 403 ? (tokenFault(context.token) ? "token" : "server") : status >= 502 && status <= 504 ? "proxy" : "server";
  return said("bad", "wrong_status", who, `The answer is ${status}${named(status)}, must be 200. EventSource gives up (readyState 2) and tells nobody why.`, nextForStatus(status, context));
}

const tokenFault = (token) => !token || token.level === "bad";
const named = (status) => ({ 401: " Unauthorized", 403: " Forbidden", 404: " Not Found", 500: " Internal Server Error", 502: " Bad Gateway", 503: " Service Unavailable", 504: " Gateway Timeout" })[status] || "";

function nextForStatus(status, context) {
  const token = context.token;
  if (status === 401 || status === 403) {
    if (!token) return "No token was sent: give one above, and say how it travels.";
    if (token.level === "bad") return `The token: ${token.text}. Log in again; the app must fetch a fresh token before it opens the stream.`;
    return `The token looks fine from here (${token.text}): server team, check key, audience and the permission of this user.`;
  }
  if (status === 404) return "The path is not served there: compare it with the route of the app and with the proxy's location or rewrite.";
  if (status >= 502 && status <= 504) return "The proxy gets no answer from the app: is the service running, on the port that the proxy asks?";
  if (status >= 500) return "Server: the app's log of this moment has the error.";
  if (status === 429) return "Too many streams or attempts: the server limits them.";
  return "Server: the endpoint must answer 200 with Content-Type: text/event-stream.";
}

function judgeType(record) {
  const type = contentType(record) || "missing";
  if (/html/.test(type)) {
    const file = record.hop === "devproxy" ? "the dev server answers with its own index.html: its proxy has no rule for this path" : "a page came where the stream should be: a fallback to index.html, a login page, or an error page with status 200";
    return said("bad", "html_instead", record.hop === "devproxy" ? "devproxy" : "proxy", `Content-Type is ${type}, must be text/event-stream: ${file}.`, record.hop === "devproxy" ? "Frontend: add the path to server.proxy of the dev server's configuration." : "Server: the proxy must send this path to the app, before any fallback.");
  }
  return said("bad", "wrong_type", "server", `Content-Type is ${type}, must be text/event-stream: EventSource refuses it (readyState 2).`, "Server: set Content-Type: text/event-stream on this response.");
}

function judgeStream(record, context) {
  const lived = record.end.at - record.headers_at;
  const events = record.events.length;
  const coding = header(record, "content-encoding");
  if (record.end.kind !== "limit_time") {
    if (lived < AT_ONCE && !events) return [said("bad", "closed_at_once", "server", `Opened and ended ${spell(lived)} later, without an event.`, "Server: the app ends or crashes right after the headers: the error is in its log of this moment. EventSource shows readyState 1, then 0.")];
    const how = record.end.kind === "truncated" ? "broke off" : "ended";
    return [said("warn", record.end.kind === "truncated" ? "cut_after" : "ended", "server", `The stream ${how} ${spell(lived)} after it opened, after ${counted(events, "event")}.`, "Server: a stream has no end; look for a limit of that length (read timeout, worker timeout, max age).")];
  }
  if (!record.size) return [silent(record, context, lived)];
  if (!events && !record.comments) return [said("bad", coding ? "compressed" : "not_parsable", coding ? "proxy" : "server", `${counted(record.size, "byte")} came${coding ? `, compressed (${coding}),` : ""} and no event in them.`, coding ? "Leave text/event-stream uncompressed." : "Server: end each event with an empty line, and each line with a line feed.")];
  const what = events ? counted(events, "event") : counted(record.comments, "comment");
  return [said("good", "", "none", `Open for ${spell(lived)}: ${what}${events && record.comments ? ` and ${counted(record.comments, "comment")}` : ""}, the first after ${spell(record.reads[0][0])}.`)];
}

function silent(record, context, lived) {
  const coding = header(record, "content-encoding");
  const twin = context.twin && context.twin.record;
  if (twin && twin.reads.length && twin.reads[0][0] + 3 < record.end.at) return said("bad", "buffered", coding ? "devproxy" : "browser", `Open, and nothing came in ${spell(lived)}, while the prober on this machine had its first byte after ${spell(twin.reads[0][0])}.`, "Something between the two holds the bytes: an extension, a proxy setting, a service worker, or compression.");
  const keepalive = context.keepalive;
  if (keepalive && keepalive < lived - 0.5) return said("bad", "silent", "server", `Open for ${spell(lived)} without one byte; a keep-alive is promised every ${spell(keepalive)}.`, "Server: either the app sends nothing (is its publisher on the subject that it subscribes?) or a proxy holds it back (X-Accel-Buffering: no).");
  return said("unknown", "", "none", `Open for ${spell(lived)}, and not a byte came: it may have had nothing to say.`, "Send a test message below and see if it arrives, or hold it longer than the keep-alive (often 30 s).");
}

/** What EventSource itself did. `seen`: what fetch showed of the same URL, if it was asked. */
function judgeSource(record, seen, context) {
  const broken = record.connections.find((one) => one.opened !== null && one.failed !== null && one.failed - one.opened < AT_ONCE);
  const opened = record.connections.filter((one) => one.opened !== null);
  const events = record.events.length;
  if (broken) {
    const text = `Opened (readyState 1) and failed ${spell(broken.failed - broken.opened)} later (readyState ${broken.state}): "opened and failed at once".`;
    if (events) return said("warn", "ended", "server", `${text} ${counted(events, "event")} came before.`, "Server: a stream has no end; what closes it?");
    return said("bad", "closed_at_once", "server", text, "Server: the app ends or crashes right after the headers. EventSource tries again, so the log fills with short requests.");
  }
  if (!opened.length) {
    if (record.mixed || record.policy) return judgeHidden({ ...record, end: { kind: "hidden" } }, context);
    if (seen && seen.level === "unknown") return said("unknown", "", "none", `Never opened. ${seen.text}`, seen.next);
    if (record.final_state === 2 || record.connections.some((one) => one.failed !== null)) {
      const because = seen && seen.level === "bad" ? ` Why: ${seen.text}` : " EventSource does not say why: a status other than 200, another Content-Type, CORS, or no connection.";
      return said("bad", seen && seen.level === "bad" ? seen.kind : "browser_refused", seen && seen.level === "bad" ? seen.who : "server", `Never opened: failed after ${spell(record.connections[0].failed ?? 0)}, readyState ${record.final_state}.${because}`, seen ? seen.next : "Run the test of the endpoint: it sees what EventSource hides.");
    }
    return said("bad", seen && seen.kind ? seen.kind : "no_answer", seen && seen.level === "bad" ? seen.who : "server", `Stayed CONNECTING (readyState 0) for all ${spell(record.closed_at)}.`, seen ? seen.next : "Run the test of the endpoint.");
  }
  const reconnects = record.connections.length - 1;
  if (reconnects > 0) return said("warn", "ended", "server", `Opened ${counted(opened.length, "time")} in ${spell(record.closed_at)}: it was cut and came back, ${counted(events, "event")} in all.`, "Server: what ends the stream? A limit of that length (read timeout, worker timeout).");
  const held = record.closed_at - opened[0].opened;
  if (!events && seen && seen.level !== "good") return said(seen.level === "bad" ? "bad" : "unknown", seen.level === "bad" ? seen.kind : "", seen.level === "bad" ? seen.who : "none", `Opened after ${spell(opened[0].opened)} and stayed open for ${spell(held)}, without an event.`, seen.next);
  return said("good", "", "none", `Opened after ${spell(opened[0].opened)} (readyState 1), stayed open for ${spell(held)}, ${counted(events, "event")}.`);
}

/** The dev proxy beside the direct stream, watched at the same time. */
function compareProxy(proxy, direct, proxySaid, directSaid, answered) {
  const passes = answered && answered.record.reads.length > 0;
  const coding = header(proxy, "content-encoding") || (passes ? "gzip" : "");
  const delivered = direct.status === 200 && direct.reads.length > 0;
  const late = delivered && (proxy.reads.length ? proxy.reads[0][0] - direct.reads[0][0] > 3 : proxy.end.kind === "limit_time" && proxy.end.at - direct.reads[0][0] > 3);
  if (late) {
    const shown = proxy.reads.length ? `its first byte came ${spell(proxy.reads[0][0] - direct.reads[0][0])} later than directly` : `nothing came in ${spell(proxy.end.at)}, while the direct stream had its first byte after ${spell(direct.reads[0][0])}`;
    const why = coding ? ` It compresses (${passes ? "who takes no gzip gets the events at once" : `Content-Encoding: ${coding}`}), and a compressor waits for more.` : "";
    return said("bad", "buffered", "devproxy", `The dev proxy holds the stream back: ${shown}.${why}`, coding ? "Frontend: leave the stream out of the compressing middleware, or have the app send Cache-Control: no-cache, no-transform." : "Frontend: pass the answer on as it comes (http-proxy does); a middleware that reads it whole, or compresses it, must leave this path out.");
  }
  if (proxySaid.level === "good") {
    if (directSaid.level === "bad") return { ...proxySaid, text: `${proxySaid.text} Through the dev proxy it works; directly it does not.` };
    return proxySaid;
  }
  if (directSaid.level === "good") return { ...proxySaid, who: "devproxy", text: `${proxySaid.text} Directly it works, so it is the dev proxy.`, next: proxyNext(proxy, proxySaid) };
  if (proxySaid.kind && proxySaid.kind === directSaid.kind) return { ...proxySaid, who: directSaid.who, text: `${proxySaid.text} Directly it is the same: the dev proxy is not the cause.`, next: directSaid.next };
  return proxySaid;
}

function proxyNext(proxy, proxySaid) {
  if (proxy.status >= 500) return "Frontend: target of server.proxy must be where the app listens (scheme, host, port); localhost may mean ::1 where the app listens on 127.0.0.1. The dev server's terminal shows the error (ECONNREFUSED).";
  if (proxy.status === 404) return "Frontend: does server.proxy have a rule for this path? If so, set changeOrigin: true where the server chooses by host name, and check rewrite: the path must arrive as the app expects it.";
  if (proxy.status === 421 || proxy.status === 400 || proxy.status === 403) return "Frontend: set changeOrigin: true in server.proxy if the server chooses by host name, and check rewrite: it must leave the path as the app expects it.";
  if (proxySaid.kind === "closed_at_once" || proxySaid.kind === "ended") return "Frontend: look for timeout and proxyTimeout in server.proxy, and for a middleware that ends the answer.";
  return proxySaid.next;
}

/** One sentence for all of it: {level, text, who, next}. */
function conclude(tests) {
  const all = tests.flatMap((test) => (test.said ? [test.said] : []));
  if (!all.length) return null;
  const cause = worst(all);
  if (cause.level === "good") return { level: "good", who: "none", text: "The stream works in this browser.", next: "" };
  const words = { bad: "The stream is broken", warn: "The stream works, with a flaw", unknown: "It cannot be told yet" }[cause.level];
  return { ...cause, text: cause.who === "none" ? `${words}.` : `${words}: look at ${WHO[cause.who]}.`, why: cause.text };
}
