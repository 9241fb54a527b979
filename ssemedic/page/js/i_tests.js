// The four tests. Each fills its part of the session and says what it means.

const session = { at: null, records: [], sources: [], twins: [], tests: {}, parallel: null, message: null, resume: null };

function forget() {
  Object.assign(session, { at: epoch(), records: [], sources: [], twins: [], tests: {}, parallel: null, message: null, resume: null });
}

function context(form, answered) {
  const elsewhere = form.appOrigin && form.appOrigin !== location.origin ? form.appOrigin : "";
  return { token: judgeToken(form.token), keepalive: form.keepalive, twin: answered, elsewhere };
}

const askOf = (form, hop, more = {}) => ({
  hop, url: hop === "devproxy" ? form.proxy : form.url, token: form.token, transport: form.transport, parameter: form.parameter,
  credentials: form.credentials, window: form.window, names: form.names, signal: form.signal, ...more,
});

/** Test 1: what the endpoint answers, through fetch and, where there is one, the prober. */
async function testEndpoint(form, heard) {
  const ask = askOf(form, "browser", { heard });
  const [record, answered] = await Promise.all([recordFetch(ask, live.watch("endpoint", form.window)), askTwin({ ...ask, hop: "public" }, form.appOrigin || location.origin)]);
  session.records.push(record);
  if (answered) session.twins.push(answered.record);
  const all = judgeFetch(record, context(form, answered));
  return finish("endpoint", { said: worst(all), all, record, twin: answered });
}

/** Test 2: a plain EventSource, held. */
async function testSource(form, endpoint) {
  const names = new Set(form.names);
  const held = recordSource(askOf(form, "browser", { names: [...names] }), live.watch("eventsource", form.window));
  live.names = held.listen;
  session.sources.push(held.record);
  const record = await held.done;
  live.names = null;
  const known = endpoint ? (await endpoint).said : null;
  const impossible = form.token && form.transport === "header";
  const result = impossible
    ? said("unknown", "", "none", "EventSource cannot send an Authorization header: this test went without the token.", "Let the token travel as a query parameter or cookie, or use a fetch-based client.")
    : judgeSource(record, known, context(form, null));
  return finish("source", { said: result, record });
}

/** Test 3: the same stream through the dev proxy, beside the direct one. */
async function testProxy(form, endpoint) {
  const ask = askOf(form, "devproxy");
  const direct = endpoint || testEndpoint(form);
  const plainly = askTwin(ask, form.appOrigin || location.origin); // the prober takes no gzip
  const [record, straight, answered] = await Promise.all([recordFetch(ask, live.watch("proxy", form.window)), direct, plainly]);
  session.records.push(record);
  if (answered) session.twins.push(answered.record);
  const own = worst(judgeFetch(record, { ...context(form, null) }));
  return finish("proxy", { said: compareProxy(record, straight.record, own, straight.said, answered), record, twin: answered });
}

/** Test 4: everything. */
async function testAll(form) {
  const flow = form.message ? messageFlow(form) : null;
  const endpoint = testEndpoint(form, flow && flow.heard);
  const jobs = [endpoint, testSource(form, endpoint)];
  if (form.proxy) jobs.push(testProxy(form, endpoint));
  if (flow) jobs.push(flow.run(endpoint));
  await Promise.all(jobs);
  if (form.signal.aborted) return;
  const works = session.tests.endpoint.said.level === "good";
  const extra = [];
  if (works) extra.push(await resumeTest(form), await parallelTest(form));
  extra.push(...nameRemarks(), tokenRemark(form), session.message && session.message.said);
  const told = extra.filter(Boolean);
  // What every server over HTTP/1 has is told, and is no flaw of this one; nor is what is not known.
  const counting = told.filter((one) => one.kind !== "six_connections" && one.level !== "unknown");
  const tests = ["endpoint", "source", "proxy"].map((name) => session.tests[name]).filter(Boolean);
  finish("full", { said: conclude([...tests, ...counting.map((one) => ({ said: one }))]), all: told });
}

/** How many streams at once: a browser has six HTTP/1 connections for one host, for all its tabs. */
async function parallelTest(form) {
  const stop = new AbortController();
  const limit = Math.min(4, form.window);
  const opened = new Array(7).fill(null);
  const zero = seconds();
  const runs = opened.map((_none, at) => recordFetch(askOf(form, "browser", { window: limit + 3, signal: stop.signal, variant: `parallel-${at}` }), (what) => {
    if (what === "open") opened[at] = rounded(seconds() - zero);
  }));
  const until = seconds() + limit;
  while (seconds() < until && opened.some((one) => one === null)) await wait(50);
  const open = opened.filter((one) => one !== null).length;
  stop.abort();
  const records = await Promise.all(runs);
  const protocol = (session.records[0] && session.records[0].protocol) || null;
  const refused = records.filter((one) => one.status !== null && one.status !== 200).map((one) => one.status);
  session.parallel = { asked: 7, opened: open, seconds: limit, protocol, refused };
  if (open === 7) return said("good", "", "none", "Seven streams at once all opened.");
  if (refused.length) return said("warn", "few_streams", "server", `Of seven streams at once ${open} opened, ${refused.length} got ${[...new Set(refused)].join(", ")}.`, "Server: a limit for each client (limit_conn) or a worker for each stream.");
  return said("warn", "six_connections", "server", `Of seven streams at once ${open} opened, the others hung: over HTTP/1 a browser has six connections for a host, for all its tabs together.`, "Server: offer HTTP/2 (over https). Frontend: one stream for all tabs (SharedWorker, or Web Locks with BroadcastChannel).");
}

/** Reconnect as EventSource does after an event with an id: nothing lost, nothing twice? */
async function resumeTest(form) {
  const first = session.tests.endpoint.record;
  const ids = first.events.map((event) => event.id).filter(Boolean);
  if (!ids.length) return said("unknown", "", "none", "The events have no id, so what is sent while the browser reconnects is lost.", "Server: give each event an id and honour Last-Event-ID.");
  if (!first.same_origin) return said("unknown", "", "none", "Last-Event-ID was not tried: from another origin only EventSource itself may send it.", "");
  const from = ids.length > 1 ? ids[ids.length - 2] : ids[0];
  const again = await recordFetch(askOf(form, "browser", { window: Math.min(3, form.window), lastEventId: from, variant: "resume" }));
  session.records.push(again);
  const back = again.events.map((event) => event.id);
  session.resume = { from, first: ids, again: back };
  if (ids.length > 1 && back.includes(ids[ids.length - 1])) return said("good", "", "none", `Last-Event-ID is honoured: after ${counted(ids.length, "event")} a reconnect got what came after the one it named.`);
  if (ids.length > 1 && back.length && back.includes(from)) return said("warn", "replayed", "server", "After a reconnect events that had already come appear again.", "Server: send only what comes after Last-Event-ID.");
  return said("unknown", "", "none", "The server does not repeat what came after Last-Event-ID: what is sent during a reconnect is lost.", "Server: keep the last events, and repeat those after the id.");
}

function nameRemarks() {
  const record = session.tests.endpoint.record;
  const counts = {};
  for (const event of record.events) counts[event.name] = (counts[event.name] || 0) + 1;
  const named = Object.keys(counts).filter((name) => name !== "message");
  if (!named.length) return [];
  const list = named.map((name) => `${name} ×${counts[name]}`).join(", ");
  return [said("good", "", "none", `Events with a name: ${list}. onmessage hears none of them: addEventListener("${named[0]}", ...)${counts.message ? "; the unnamed ones it hears" : ""}.`)];
}

function tokenRemark(form) {
  const token = judgeToken(form.token);
  if (!token) return null;
  const level = token.level === "bad" ? "warn" : token.level === "note" ? "unknown" : token.level;
  return said(level === "unknown" ? "good" : level, "", "token", `The token: ${token.text}.`, token.level === "bad" ? "Log in again for a fresh token." : "");
}

/** Send a test message once the stream is open, and see it come back as an event. */
function messageFlow(form) {
  const flow = { sent: null, accepted: null, delivered: null, id: null, status: null };
  const zero = seconds();
  const seen = [];
  const match = (event) => {
    if (flow.delivered === null && flow.id !== null && event.data.includes(String(flow.id))) flow.delivered = rounded(seconds() - zero);
  };
  const heard = (event) => {
    seen.push({ ...event, when: rounded(seconds() - zero) });
    match(event);
  };
  async function run() {
    const until = seconds() + form.window * 0.5;
    while (seconds() < until && !live.opened.endpoint) await wait(50);
    if (!live.opened.endpoint) return;
    const url = new URL(form.message.path, form.url).href;
    const headers = { "Content-Type": "application/json" };
    if (form.token && form.transport !== "cookie") headers.Authorization = `Bearer ${form.token}`;
    flow.sent = rounded(seconds() - zero);
    try {
      const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(form.message.body), credentials: form.credentials ? "include" : "same-origin" });
      flow.status = answer.status;
      flow.accepted = rounded(seconds() - zero);
      const told = await answer.json().catch(() => null);
      flow.id = told && told.id !== undefined ? String(told.id) : null;
      const early = flow.id && seen.find((event) => event.data.includes(flow.id));
      if (early) flow.delivered = early.when;
    } catch {
      flow.status = 0;
    }
    while (flow.id && flow.delivered === null && seconds() - zero < form.window - 0.2) await wait(50);
    session.message = { ...flow, said: flowSaid(flow) };
    live.log(`message: ${session.message.said.text}`);
  }
  return { heard, run };
}

function flowSaid(flow) {
  if (!flow.status) return said("unknown", "", "none", "The test message could not be sent from this page (CORS or no connection).", "");
  if (flow.status >= 300) return said("unknown", "", "none", `The test message was refused with ${flow.status}: this says nothing about the stream.`, "");
  if (!flow.id) return said("unknown", "", "none", "The test message was taken, but the answer names no id to look for.", "");
  if (flow.delivered === null) return said("bad", "canary_lost", "server", "The test message was taken and did not come back as an event: sent, not delivered.", "Server: does the publisher use the subject (channel) that the stream's service subscribes to?");
  return said("good", "", "none", `Test message: sent, taken after ${spell(flow.accepted - flow.sent)}, delivered as an event after ${spell(flow.delivered - flow.sent)}.`);
}

function finish(name, result) {
  session.tests[name] = result;
  show(name, result);
  return result;
}

/** All of it as plain data; without the token, and without what events and users said. */
function resultOf(form) {
  const token = judgeToken(form.token);
  if (token) delete token.people;
  const found = Object.entries(session.tests).filter(([, test]) => test.said);
  return {
    ssemedic_page: 1, version: settings.version, at: session.at, page_origin: location.origin, app_origin: form.appOrigin || location.origin,
    browser: navigator.userAgent, online: navigator.onLine, secure: location.protocol === "https:",
    service_worker: safely(() => navigator.serviceWorker && navigator.serviceWorker.controller && publicUrl(navigator.serviceWorker.controller.scriptURL, form.parameter)) || null,
    policies: refusedByPolicy.slice(-20), url: publicUrl(form.url, form.parameter), devproxy: form.proxy ? publicUrl(form.proxy, form.parameter) : null,
    window: form.window, keepalive: form.keepalive || null, credentials: form.credentials, parameter: form.parameter, token,
    records: session.records, sources: session.sources, twins: session.twins, parallel: session.parallel, resume: session.resume,
    message: session.message && { ...session.message, id: null },
    counts: tally([...session.records, ...session.sources]),
    said: found.map(([test, one]) => ({ test, ...one.said })),
  };
}
