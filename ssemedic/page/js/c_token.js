// The access token: found in the usual places, read here, never shown whole, sent to nobody but
// the endpoint that is asked (and, where there is one, to the prober on this machine).

const USUAL_KEYS = /token|jwt|auth|session|credential|persist:|oidc\.|^sb-/i;
const USUAL_FIELDS = ["access_token", "accessToken", "token", "jwt", "id_token", "idToken", "authToken"];
const JWT = /eyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g;
const TENANT = /workspace|tenant|team|organi[sz]ation|account|^(org|tid|wid|ws)$/i;

/** Tokens in the storage of this page's own origin: [{where, value}], the likeliest first. */
function storedTokens() {
  const found = [];
  for (const [kind, storage] of [["localStorage", safely(() => localStorage)], ["sessionStorage", safely(() => sessionStorage)]]) {
    for (let at = 0; storage && at < storage.length; at += 1) {
      const key = storage.key(at);
      const value = storage.getItem(key) || "";
      const inside = value.length < 100000 ? tokenIn(value, 0) : null;
      const usual = USUAL_KEYS.test(key);
      if (inside && (usual || inside.startsWith("eyJ"))) found.push({ where: `${kind}["${key}"]`, value: inside, usual });
    }
  }
  const rank = (one) => (one.usual ? 0 : 1) + (one.value.startsWith("eyJ") ? 0 : 2) + (/id_?token|refresh/i.test(one.where) ? 1 : 0);
  return found.sort((one, other) => rank(one) - rank(other));
}

function safely(read) {
  try {
    return read();
  } catch {
    return null; // a sandboxed page, or one from a file, may have no storage
  }
}

function tokenIn(text, depth) {
  const value = text.trim().replace(/^"(.*)"$/, "$1").replace(/^Bearer /i, "");
  if (/^eyJ[\w-]+\.[\w-]+\.[\w-]*$/.test(value)) return value;
  if (value.startsWith("{") && depth < 4) {
    const object = safely(() => JSON.parse(value));
    for (const field of object ? USUAL_FIELDS : []) {
      if (typeof object[field] === "string" && object[field]) return object[field];
    }
    for (const inner of Object.values(object || {})) {
      const found = inner && (typeof inner === "object" ? tokenIn(JSON.stringify(inner), depth + 1) : String(inner).includes("eyJ") ? tokenIn(String(inner), depth + 1) : null);
      if (found) return found;
    }
    return null;
  }
  return depth === 0 && /^[\x21-\x7e]{16,}$/.test(value) ? value : null;
}

/** What a token says of itself. Nothing here is verified: the key is the server's. */
function judgeToken(token, now = epoch()) {
  if (!token) return null;
  const parts = token.split(".");
  const header = parts.length === 3 ? decoded(parts[0]) : null;
  const claims = header ? decoded(parts[1]) : null;
  if (!claims) return { length: token.length, is_jwt: false, level: "note", text: `an opaque token of ${token.length} characters: only the server knows what it means`, people: [] };
  const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);
  const tenant = Object.keys(claims).find((name) => TENANT.test(name));
  const judged = {
    length: token.length,
    is_jwt: true,
    algorithm: typeof header.alg === "string" ? header.alg : null,
    expires: number(claims.exp),
    not_before: number(claims.nbf),
    issued: number(claims.iat),
    claims: Object.keys(claims).sort(),
    people: [["user", claims.sub ?? claims.user_id ?? claims.username ?? claims.email], ["workspace", tenant && claims[tenant]], ["issuer", claims.iss]].filter((pair) => ["string", "number"].includes(typeof pair[1])),
  };
  return { ...judged, ...standing(judged, now) };
}

function standing(token, now) {
  if (token.expires === null) return { level: "warn", text: "it never expires, and neither does a leak" };
  const left = token.expires - now;
  if (left <= 0) return { level: "bad", text: `it expired ${spell(-left)} ago` };
  const early = Math.max(token.not_before || 0, token.issued || 0) - now;
  if (early > 2) return { level: "bad", text: `by this clock it is valid only in ${spell(early)}` };
  if (left < 60) return { level: "warn", text: `it expires in ${spell(left)}: the next reconnect is refused` };
  return { level: "good", text: `valid for another ${spell(left)}` };
}

function decoded(part) {
  try {
    const bytes = Uint8Array.from(atob(part.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    const value = JSON.parse(new TextDecoder().decode(bytes));
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null; // not a JSON web token after all
  }
}

/** The same text with the token, and everything that looks like one, replaced by stars. */
function masked(text, token) {
  const plain = token ? text.split(token).join("*".repeat(token.length)).split(encodeURIComponent(token)).join("***") : text;
  return plain.replace(JWT, (found) => "*".repeat(found.length));
}
