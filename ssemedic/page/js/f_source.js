// A stream through EventSource, as the app has it: what it may know, and nothing more.

const AT_ONCE = 1;
const STATES = ["CONNECTING", "OPEN", "CLOSED"];

/** Hold one EventSource for the window; its readyState changes, events and reconnects. */
function recordSource(ask, watch = () => {}) {
  const zero = seconds();
  const at = () => rounded(seconds() - zero);
  const url = fullUrl(ask);
  const record = {
    how: "eventsource", hop: ask.hop, url: publicUrl(url, ask.parameter), started: epoch(), window: ask.window, credentials: ask.credentials,
    transport: ask.token && ask.transport === "query" ? "query" : "none", mixed: isMixed(url), changes: [], connections: [], events: [], unnamed: 0, closed_at: null, policy: null,
  };
  const policies = refusedByPolicy.length;
  let connection = null;
  const begin = () => {
    connection = { began: at(), opened: null, failed: null, state: null };
    record.connections.push(connection);
    watch("created", connection.began);
  };
  const change = (state, why) => record.changes.push({ at: at(), state, why });
  begin();
  const source = new EventSource(url, { withCredentials: ask.credentials });
  change(source.readyState, "created");
  source.onopen = () => {
    if (connection.failed !== null) begin();
    connection.opened = at();
    change(source.readyState, "open");
    watch("open", connection.opened);
  };
  source.onerror = () => {
    if (connection.failed !== null) begin();
    connection.failed = at();
    connection.state = source.readyState;
    change(source.readyState, "error");
    watch("error", connection.failed, connection.opened);
  };
  const heard = (event) => {
    const when = at();
    if (record.events.length < 500) record.events.push({ at: when, name: event.type, id: event.lastEventId });
    if (event.type === "message") record.unnamed += 1;
    watch("event", when, event.type);
  };
  const listening = new Set();
  const listen = (name) => {
    if (!name || name === "error" || name === "open" || listening.has(name)) return;
    listening.add(name);
    source.addEventListener(name, heard);
  };
  ["message", ...(ask.names || [])].forEach(listen);
  const done = new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      record.closed_at = at();
      record.final_state = source.readyState;
      source.close();
      record.policy = refusedByPolicy.slice(policies).find((one) => one.directive.startsWith("connect-src")) || null;
      performance.clearResourceTimings();
      watch("end", record.closed_at);
      resolve(record);
    };
    const timer = setTimeout(finish, ask.window * 1000);
    if (ask.signal) ask.signal.addEventListener("abort", finish, { once: true });
    // After CLOSED a browser never comes back, so there is nothing to wait for.
    source.addEventListener("error", () => source.readyState === 2 && setTimeout(finish, 50));
  });
  return { record, listen, done };
}

/** Attempts, successes, immediate failures and times of any number of records. */
function tally(records) {
  const total = { attempts: 0, opened: 0, at_once: 0, to_open: [], held: [] };
  for (const record of records) {
    const all = record.how === "eventsource"
      ? record.connections.map((one) => ({ ...one, end: one.failed ?? record.closed_at, broke: one.failed !== null }))
      : [{ began: 0, opened: record.status === 200 ? record.headers_at : null, end: record.end && record.end.at, broke: record.end && !["limit_time"].includes(record.end.kind) }];
    for (const one of all) {
      total.attempts += 1;
      if (one.opened !== null) {
        total.opened += 1;
        total.to_open.push(one.opened - one.began);
        if (one.end !== null) total.held.push(one.end - one.opened);
      }
      const since = one.opened ?? one.began;
      if (one.broke && one.end - since < AT_ONCE) total.at_once += 1;
    }
  }
  const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);
  return { attempts: total.attempts, opened: total.opened, at_once: total.at_once, to_open: mean(total.to_open), held: mean(total.held) };
}
