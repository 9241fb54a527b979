// The page itself. Text from a server only ever becomes text, never markup.

const byId = (id) => document.getElementById(id);

function element(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const SIGNS = { good: "✓", bad: "✕", warn: "!", unknown: "?" };
const LEVELS = { good: "works", bad: "broken", warn: "flaw", unknown: "not known" };

/** One result in its card: a sign, a sentence, the next step, the numbers. */
function show(name, result) {
  const box = byId(`result-${name}`);
  const lines = name === "full" ? (result.all.length ? result.all : [{ ...result.said, text: result.said.why || result.said.text }]) : [result.said, ...(result.all || []).filter((one) => one !== result.said)];
  box.replaceChildren(...lines.filter(Boolean).map(line), ...(result.record ? [facts(result)] : []));
  const state = result.said ? result.said.level : "unknown";
  const badge = byId(`state-${name}`);
  badge.textContent = LEVELS[state];
  badge.className = `state ${state}`;
  verdict();
}

function line(one) {
  const body = element("div", {}, element("p", {}, one.text));
  if (one.next) body.append(element("p", { class: "next" }, element("b", {}, "Next: "), one.next));
  return element("div", { class: `said ${one.level}` }, element("span", { class: "sign", "aria-label": LEVELS[one.level] }, SIGNS[one.level]), body);
}

function facts(result) {
  const record = result.record;
  const pairs = record.how === "fetch"
    ? [["status", record.status ?? "none seen"], ["type", contentType(record) || "–"], ["headers after", record.headers_at === null ? "–" : spell(record.headers_at)], ["first byte", record.reads.length ? spell(record.reads[0][0]) : "–"], ["bytes", record.size], ["protocol", record.protocol || "not told"]]
    : [["readyState", record.changes.map((one) => `${one.state} ${STATES[one.state]} (${spell(one.at)})`).slice(0, 6).join(" → ")], ["events", `${record.events.length}, ${record.unnamed} unnamed`], ["connections", record.connections.length]];
  const list = element("dl", {});
  for (const [name, value] of pairs) list.append(element("dt", {}, name), element("dd", {}, String(value)));
  if (record.how !== "fetch") return list;
  const head = [...record.headers.map((pair) => `${pair[0]}: ${pair[1]}`), ...(record.headers.length ? [] : ["(the browser shows none)"])].join("\n");
  const more = element("details", {}, element("summary", {}, "Headers the browser shows"), element("pre", { tabindex: "0" }, head));
  const box = element("div", {}, list, more);
  const asked = result.twin && result.twin.record;
  if (asked) {
    const told = asked.status === null ? result.twin.words : `${asked.status} ${asked.reason || ""}\n${asked.headers.map((pair) => `${pair[0]}: ${pair[1]}`).join("\n")}${result.twin.start ? `\n\n${result.twin.start}` : ""}`;
    box.append(element("details", {}, element("summary", {}, "What the server told the prober on this machine"), element("pre", { tabindex: "0" }, told)));
  }
  return box;
}

function verdict() {
  const tests = ["endpoint", "source", "proxy"].map((name) => session.tests[name]).filter(Boolean);
  const all = session.tests.full ? session.tests.full.said : conclude(tests);
  const box = byId("verdict");
  if (!all) return;
  box.className = `verdict ${all.level}`;
  const team = TEAM[all.who];
  byId("verdict-sign").textContent = SIGNS[all.level];
  byId("verdict-text").textContent = all.text;
  byId("verdict-why").textContent = all.why || "";
  byId("verdict-next").replaceChildren(...(all.next ? [element("b", {}, team && !/^(Server|Frontend)/.test(all.next) ? `Next (${team}): ` : "Next: "), all.next] : []));
  byId("results").hidden = false;
}

function showRules(judged) {
  const box = byId("rules");
  box.hidden = !judged || !(judged.causes.length || judged.symptoms.length);
  if (box.hidden) return;
  const rows = judged.causes.map((cause) => element("li", {}, element("b", {}, cause.title), ` (${cause.status}, ${cause.rule}) ${cause.observed}`, ...cause.advice.map((one) => element("p", { class: "next" }, element("b", {}, `${one.audience}: `), one.text))));
  const seen = judged.symptoms.map((one) => element("li", {}, one.text));
  byId("rules-list").replaceChildren(...(rows.length ? rows : seen));
  byId("rules-title").textContent = rows.length ? "Causes, by the same rules as the server's diagnosis" : "Symptoms, by the same rules as the server's diagnosis";
}

/** The form as the tests want it; throws a sentence where it cannot be used. */
function readForm() {
  const text = (id) => byId(id).value.trim();
  const url = addressOf(text("url"), "The stream's URL");
  const proxy = text("proxy") ? addressOf(text("proxy"), "The dev proxy's URL") : "";
  const origin = text("origin");
  if (origin && !/^https?:\/\/[^/]+$/.test(origin)) throw new Error("The app's origin must look like https://app.example.org, without a path.");
  const hold = Number(text("window"));
  if (!(hold >= 1 && hold <= 600)) throw new Error("Hold for: must be 1 to 600 seconds.");
  return {
    url, proxy, token: text("token") || null, transport: byId("transport").value, parameter: text("parameter") || "access_token",
    credentials: byId("credentials").checked || byId("transport").value === "cookie", appOrigin: origin, window: hold,
    keepalive: Number(text("keepalive")) || null, names: text("names").split(/[\s,]+/).filter(Boolean), message: readMessage(), signal: null,
  };
}

function addressOf(text, what) {
  if (!text) throw new Error(`${what} is missing.`);
  let url;
  try {
    url = new URL(text, location.href);
  } catch {
    throw new Error(`${what} is not a URL.`);
  }
  if (!/^https?:$/.test(url.protocol)) throw new Error(`${what} must begin with http:// or https://.`);
  return url.href;
}

function readMessage() {
  const path = byId("message-path").value.trim();
  if (!path) return null;
  const body = safely(() => JSON.parse(byId("message-body").value || "{}"));
  if (!body || !path.startsWith("/")) throw new Error("The test message needs a path that starts with / and a body that is JSON.");
  return { path, body };
}

/** A token that was pasted with the URL moves into its own field, which shows nothing. */
function takeTokenOut(id) {
  const field = byId(id);
  const url = safely(() => new URL(field.value, location.href));
  const name = byId("parameter").value || "access_token";
  if (!url || !field.value.includes("=") || !url.searchParams.has(name)) return;
  byId("token").value = url.searchParams.get(name);
  url.searchParams.delete(name);
  field.value = url.href;
  showToken();
}

function showToken() {
  const token = judgeToken(byId("token").value.trim());
  const box = byId("token-said");
  if (!token) {
    box.replaceChildren();
    return;
  }
  const who = token.people.map(([name, value]) => `${name} ${String(value).slice(0, 60)}`).join(", ");
  box.replaceChildren(element("span", { class: `dot ${token.level === "note" ? "unknown" : token.level}` }, SIGNS[token.level] || "?"), ` ${token.is_jwt ? `${token.length} characters, ${token.algorithm || "no algorithm"}` : ""}${token.is_jwt ? ": " : ""}${token.text}${who ? ` (${who})` : ""}`);
}
