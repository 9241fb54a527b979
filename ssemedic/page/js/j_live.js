// While it happens: the arrival strip, the counters, the time line and the log.

const LANES = { endpoint: "fetch", eventsource: "EventSource", proxy: "dev proxy" };
const SVG = "http://www.w3.org/2000/svg";
const live = { opened: {}, rows: 0, zero: 0, names: null, watch, log, counts: null, clear };

function clear() {
  live.opened = {};
  live.zero = seconds();
  live.counts = { attempts: 0, opened: 0, at_once: 0, to_open: [], held: [] };
  for (const id of ["timeline", "log"]) byId(id).replaceChildren();
  for (const lane of Object.keys(LANES)) {
    laneOf(lane).replaceChildren();
    // As wide as it is shown, so that a dot is round on every screen.
    laneOf(lane).setAttribute("viewBox", `0 0 ${laneOf(lane).clientWidth || 1000} 24`);
  }
  count();
}

function watch(lane, window) {
  const began = seconds() - live.zero;
  let created = 0;
  let opened = null;
  let band = null;
  const wide = laneOf(lane).viewBox.baseVal.width;
  const place = (at) => Math.min(wide, (at / window) * wide);
  const name = LANES[lane];
  return (what, at, detail) => {
    if (what === "created") {
      live.counts.attempts += 1;
      created = at;
      band = draw(lane, "rect", { x: place(at), y: 6, width: 1, height: 12, class: "connecting" });
      moment(began + at, name, "created, readyState 0");
    } else if (what === "open") {
      live.counts.opened += 1;
      live.counts.to_open.push(at - created);
      live.opened[lane] = true;
      opened = at;
      if (band) band.setAttribute("width", Math.max(2, place(at) - place(created)));
      band = draw(lane, "rect", { x: place(at), y: 6, width: 2, height: 12, class: "open" });
      moment(began + at, name, "established, readyState 1");
    } else if (what === "refused") {
      moment(began + at, name, `answered ${detail}`);
    } else if (what === "event" || what === "comment") {
      draw(lane, "circle", { cx: place(at), cy: 12, r: what === "event" ? 5 : 3, class: what });
      if (band) band.setAttribute("width", Math.max(2, place(at) - Number(band.getAttribute("x"))));
      if (what === "event" && live.names && lane === "endpoint") live.names(detail);
      log(`${name}: ${what}${detail ? ` ${detail}` : ""} at ${at.toFixed(3)} s`);
    } else if (what === "error" || what === "end") {
      const broke = what === "error" || at < window - 0.3;
      if (band) band.setAttribute("width", Math.max(3, place(at) - Number(band.getAttribute("x"))));
      if (broke && (what === "error" || lane !== "eventsource")) draw(lane, "path", { d: cross(place(at)), class: "cut" });
      if (what === "error" || broke) {
        if (at - (opened ?? created) < AT_ONCE && (what === "error" || lane !== "eventsource")) live.counts.at_once += 1;
      }
      if (opened !== null) live.counts.held.push(at - opened);
      moment(began + at, name, what === "error" ? `failed${opened === null ? "" : `, ${spell(at - opened)} after it opened`}` : broke ? "over" : "closed by this page, the window is over");
      opened = null;
      band = null;
    }
    count();
  };
}

const cross = (x) => `M${x - 5} 7l10 10m0-10l-10 10`;

function draw(lane, kind, attributes) {
  const svg = laneOf(lane);
  if (svg.childElementCount > 400) return null;
  const node = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  svg.append(node);
  return node;
}

const laneOf = (lane) => byId(`lane-${lane}`);

function count() {
  const mean = (list) => (list.length ? spell(list.reduce((sum, value) => sum + value, 0) / list.length) : "–");
  const values = { attempts: live.counts.attempts, opened: live.counts.opened, "at-once": live.counts.at_once, "to-open": mean(live.counts.to_open), held: mean(live.counts.held) };
  for (const [id, value] of Object.entries(values)) byId(`count-${id}`).textContent = value;
  byId("count-at-once").parentElement.classList.toggle("bad", live.counts.at_once > 0);
}

function moment(at, name, text) {
  const list = byId("timeline");
  if (list.childElementCount > 200) return;
  const row = element("li", {}, element("span", { class: "clock" }, `${at.toFixed(3)} s`), element("strong", {}, name), element("span", {}, text));
  list.append(row);
  log(`${name}: ${text}`);
}

function log(text) {
  const box = byId("log");
  const lines = box.textContent.split("\n");
  if (lines.length > 400) lines.splice(0, 100);
  box.textContent = [...lines.filter(Boolean), `${new Date().toISOString().slice(11, 23)}  ${text}`].join("\n");
}
