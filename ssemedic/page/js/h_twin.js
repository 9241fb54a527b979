// The prober on this machine, where `ssemedic page` serves this page: what the server really said.

const twin = { key: null, state: "none" };

/** Exchange the one-time secret of the address for a key, and take it out of the address at once. */
async function meetTwin(settings) {
  const secret = new URLSearchParams(location.hash.slice(1)).get("secret");
  if (location.hash) history.replaceState(null, "", location.pathname);
  if (!settings.twin) return;
  twin.key = safely(() => sessionStorage.getItem("ssemedic-key"));
  if (secret) {
    const answer = await callTwin("session", { secret });
    twin.key = answer ? answer.key : null;
    safely(() => sessionStorage.setItem("ssemedic-key", twin.key || ""));
  }
  twin.state = twin.key && (await callTwin("hello", {})) ? "ready" : "used";
}

async function callTwin(what, data) {
  try {
    const answer = await fetch(`api/${what}`, {
      method: "POST", cache: "no-store", body: JSON.stringify(data),
      headers: { "Content-Type": "application/json", ...(twin.key ? { "X-Ssemedic-Key": twin.key } : {}) },
    });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null; // it has been stopped; the page works without it
  }
}

/** Ask the prober for the same URL: {record, symptoms, words, kind, preflight}; null without one. */
async function askTwin(ask, origin) {
  if (twin.state !== "ready") return null;
  const { hop, url, token, transport, parameter, credentials, window } = ask;
  return callTwin("probe", { hop, url, token: token || null, transport, parameter, credentials, window, origin, same_origin: origin === new URL(url).origin });
}
