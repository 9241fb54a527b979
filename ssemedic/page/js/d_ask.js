// One request: where the token goes, and what of it may be written down.

/** The URL to open; the token is in it where it travels by query. */
function fullUrl(ask) {
  const url = new URL(ask.url, location.href);
  if (ask.token && ask.transport === "query") url.searchParams.set(ask.parameter, ask.token);
  return url.href;
}

/** A URL without its token, and without whatever else looks like one. */
function publicUrl(text, parameter) {
  const url = new URL(text, location.href);
  url.hash = "";
  url.username = "";
  url.password = "";
  for (const [name, value] of [...url.searchParams]) {
    if (name === parameter || /token|jwt|secret|passw|api_?key|ticket|auth/i.test(name) || value.search(JWT) >= 0) url.searchParams.delete(name);
  }
  return url.href;
}

const sameOrigin = (url) => new URL(url, location.href).origin === location.origin;

/** True for what a page over https may not ask (W3C Mixed Content): http, but for this machine. */
function isMixed(url) {
  const to = new URL(url, location.href);
  const local = /^(localhost|.*\.localhost|127\.[0-9.]+|\[::1\])$/.test(to.hostname);
  return location.protocol === "https:" && to.protocol === "http:" && !local;
}

const refusedByPolicy = [];
document.addEventListener("securitypolicyviolation", (event) => {
  refusedByPolicy.push({ directive: event.effectiveDirective, blocked: publicUrlOr(event.blockedURI), source: publicUrlOr(event.sourceFile || "") });
});

function publicUrlOr(text) {
  return safely(() => publicUrl(text, "access_token")) || "";
}
