// A stream through fetch: status, headers, each arrival, how it ended.

const BODY_LIMIT = 65536;

/** One attempt, recorded until it ends or its window closes. Never throws for what a server does. */
async function recordFetch(ask, watch = () => {}) {
  const zero = seconds();
  const at = () => rounded(seconds() - zero);
  const url = fullUrl(ask);
  const record = {
    how: "fetch", hop: ask.hop, variant: ask.variant || "", url: publicUrl(url, ask.parameter), started: epoch(), window: ask.window,
    method: "GET", transport: ask.token ? ask.transport : "none", credentials: ask.credentials, same_origin: sameOrigin(url), mixed: isMixed(url),
    status: null, headers: [], headers_at: null, redirected: false, reads: [], size: 0, body: "", end: null,
    events: [], comments: 0, retry: null, opaque: null, worker: null, protocol: null, policy: null,
  };
  const policies = refusedByPolicy.length;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), ask.window * 1000);
  if (ask.signal) ask.signal.addEventListener("abort", () => stop.abort());
  const kept = [];
  try {
    watch("created", 0);
    const answer = await fetch(url, { headers: requestHeaders(ask), credentials: ask.credentials ? "include" : "same-origin", cache: "no-store", signal: stop.signal });
    record.headers_at = at();
    record.status = answer.status;
    record.redirected = answer.redirected;
    record.headers = [...answer.headers].map(([name, value]) => [name, masked(value, ask.token)]);
    watch(record.status === 200 ? "open" : "refused", record.headers_at, record.status);
    const reader = new EventReader((event) => hear(record, event, watch, ask));
    record.end = await readBody(answer, record, reader, kept, at, watch);
    record.retry = reader.retry;
  } catch (error) {
    const ours = stop.signal.aborted;
    if (ours) record.end = { kind: "limit_time", at: at(), detail: "" };
    else if (record.headers_at !== null) record.end = { kind: "truncated", at: at(), detail: "" };
    else record.end = { kind: "hidden", at: at(), detail: "" };
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
  watch("end", record.end.at);
  record.body = written(kept, record, ask.token);
  if (record.end.kind === "hidden") await lookBehind(record, ask, url, policies);
  await wait(20); // the browser writes its timing down a moment later
  timing(record, url);
  return record;
}

async function readBody(answer, record, reader, kept, at, watch) {
  if (!answer.body) return { kind: "last_chunk", at: at(), detail: "" };
  const source = answer.body.getReader();
  const streams = contentType(record) === "text/event-stream";
  for (;;) {
    const { done, value } = await source.read();
    const when = at();
    if (done) return { kind: "last_chunk", at: when, detail: "" };
    record.reads.push([when, value.length]);
    const left = BODY_LIMIT - Math.min(record.size, BODY_LIMIT);
    if (left > 0) kept.push(value.slice(0, left));
    record.size += value.length;
    watch("read", when, value.length);
    if (streams) reader.push(value, when);
  }
}

function hear(record, event, watch, ask) {
  if ("comment" in event) {
    record.comments += 1;
    watch("comment", event.at);
    return;
  }
  if (record.events.length < 500) record.events.push({ at: event.at, name: event.name, id: event.id });
  watch("event", event.at, event.name);
  if (ask.heard) ask.heard(event);
}

function requestHeaders(ask) {
  const headers = { Accept: "text/event-stream" };
  if (ask.token && ask.transport === "header") headers.Authorization = `Bearer ${ask.token}`;
  if (ask.lastEventId) headers["Last-Event-ID"] = ask.lastEventId;
  return headers;
}

/** Where the browser says nothing but "failed": is anybody there, and who forbade it? */
async function lookBehind(record, ask, url, policies) {
  await wait(60); // a violation of the policy is told a moment after the failure
  record.policy = refusedByPolicy.slice(policies).find((one) => one.directive.startsWith("connect-src")) || null;
  if (record.mixed || record.policy) return;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), 3000);
  try {
    // Without CORS the answer cannot be read, but that there is one can be seen.
    await fetch(url, { mode: "no-cors", credentials: ask.credentials ? "include" : "omit", cache: "no-store", signal: stop.signal });
    record.opaque = true;
  } catch {
    record.opaque = stop.signal.aborted ? null : false;
  }
  stop.abort();
  clearTimeout(timer);
  if (record.opaque && record.transport === "header") {
    const simple = await recordFetch({ ...ask, token: null, window: 3, signal: null }, () => {});
    record.without_header = { status: simple.status, end: simple.end.kind };
  }
}

function timing(record, url) {
  const entry = performance.getEntriesByName(url, "resource").at(-1);
  performance.clearResourceTimings(); // the names hold the token
  if (!entry) return;
  record.worker = entry.workerStart > 0;
  record.protocol = entry.nextHopProtocol || null;
}

const header = (record, name) => (record.headers.find((pair) => pair[0].toLowerCase() === name) || [])[1];
const contentType = (record) => (header(record, "content-type") || "").split(";")[0].trim().toLowerCase();

/** The start of the body, base64. What events say is nobody's business: x for each letter of it. */
function written(kept, record, token) {
  let text = "";
  for (const part of kept) for (const byte of part) text += String.fromCharCode(byte);
  text = masked(text, token);
  if (contentType(record) === "text/event-stream") text = text.replace(/^(data:? ?)(.+)$/gm, (_all, name, value) => name + "x".repeat(value.length));
  return btoa(text);
}
