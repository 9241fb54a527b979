// Buttons to tests.

const settings = JSON.parse(byId("settings").textContent);
let running = null;
let lastForm = null;

async function run(test) {
  let form;
  try {
    form = readForm();
  } catch (error) {
    byId("problem").textContent = error.message;
    return;
  }
  byId("problem").textContent = "";
  running = new AbortController();
  form.signal = running.signal;
  lastForm = form;
  busy(true, form.window);
  forget();
  clearResults();
  live.clear();
  try {
    await { endpoint: testEndpoint, source: sourceAlone, proxy: proxyAlone, full: testAll }[test](form);
    showRules(await callJudge(form));
  } finally {
    running = null;
    busy(false);
    document.dispatchEvent(new Event("ssemedic-done"));
  }
}

const sourceAlone = (form) => testSource(form, null);

function proxyAlone(form) {
  if (!form.proxy) {
    byId("problem").textContent = "The dev proxy's URL is missing.";
    return Promise.resolve();
  }
  return testProxy(form, null);
}

const callJudge = (form) => (twin.state === "ready" ? callTwin("judge", resultOf(form)) : Promise.resolve(null));

function busy(on, hold) {
  for (const button of document.querySelectorAll("button[data-test]")) button.disabled = on;
  byId("stop").hidden = !on;
  byId("status").textContent = on ? `Watching for ${hold} s ...` : "";
  document.body.classList.toggle("busy", on);
  byId("copy").disabled = on;
  byId("save").disabled = on;
}

function clearResults() {
  for (const name of ["endpoint", "source", "proxy", "full"]) {
    byId(`result-${name}`).replaceChildren();
    byId(`state-${name}`).textContent = "";
    byId(`state-${name}`).className = "state";
  }
  byId("rules").hidden = true;
  byId("verdict").className = "verdict";
  byId("verdict-sign").textContent = "…";
  byId("verdict-text").textContent = "Watching";
  byId("verdict-why").textContent = "";
  byId("verdict-next").replaceChildren();
  byId("live").hidden = false;
}

const resultText = () => JSON.stringify(resultOf(lastForm), null, 2);

async function copyResult() {
  const text = resultText();
  try {
    await navigator.clipboard.writeText(text);
    byId("status").textContent = "Copied: paste it into a file and run ssemedic analyze FILE, or into the ticket.";
  } catch {
    saveResult(); // no clipboard without https
  }
}

function saveResult() {
  const link = element("a", { href: URL.createObjectURL(new Blob([resultText()], { type: "application/json" })), download: "page-result.json" });
  link.click();
  URL.revokeObjectURL(link.href);
  byId("status").textContent = "Saved as page-result.json: run ssemedic analyze page-result.json.";
}

function offerTokens() {
  const found = storedTokens();
  const button = byId("find");
  if (!found.length) {
    byId("token-said").textContent = `No token in the storage of ${location.origin}. Open this page on the app's own origin to find it there.`;
    return;
  }
  byId("token").value = found[0].value;
  button.textContent = `Found in ${found[0].where}`;
  showToken();
}

async function start() {
  const given = new URLSearchParams(location.search);
  for (const id of ["url", "proxy", "origin", "window", "message-path", "message-body", "names", "keepalive"]) {
    const value = settings[id.replace("-", "_")] ?? given.get(id);
    if (value) byId(id).value = value;
  }
  if (settings.transport) byId("transport").value = settings.transport;
  if (!byId("url").value && location.protocol.startsWith("http") && !settings.twin) byId("url").value = new URL("/events", location.href).href;
  ["url", "proxy"].forEach(takeTokenOut);
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    run("full");
  });
  for (const button of document.querySelectorAll("button[data-test]")) if (button.type === "button") button.addEventListener("click", () => run(button.dataset.test));
  byId("stop").addEventListener("click", () => running && running.abort());
  byId("copy").addEventListener("click", copyResult);
  byId("save").addEventListener("click", saveResult);
  byId("find").addEventListener("click", offerTokens);
  byId("token").addEventListener("input", showToken);
  for (const id of ["url", "proxy"]) byId(id).addEventListener("change", () => takeTokenOut(id));
  byId("transport").addEventListener("change", () => { byId("parameter-row").hidden = byId("transport").value !== "query"; });
  showToken();
  await meetTwin(settings);
  byId("twin").textContent = {
    ready: "The prober on this machine is connected: it sees what the browser hides.",
    used: "The prober's key is used up: start ssemedic page again for a new one. The tests work without it.",
    none: "Without the prober (ssemedic page) this page knows what the browser knows: not why a connection failed.",
  }[twin.state];
  byId("twin").className = `twin ${twin.state}`;
  if (location.protocol === "https:") byId("where").textContent = `This page: ${location.origin}`;
  else byId("where").textContent = `This page: ${location.origin === "null" || location.protocol === "file:" ? "a file (origin null)" : location.origin}`;
  document.body.dataset.ready = "yes";
  if (settings.start) run("full");
}

start();
