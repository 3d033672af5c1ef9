// The gate's work, as a worker for Cloudflare's runtime would do it: what
// bench/edge measures Sessiongate against. Verdicts are kept by token.

const verdicts = new Map();
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const encoder = new TextEncoder();

const bytes = (part) =>
  Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const json = (part) => JSON.parse(new TextDecoder().decode(bytes(part)));

async function verify(token, jwks) {
  const [header, payload, signature] = token.split(".");
  const { kid } = json(header);
  const jwk = jwks.keys.find((key) => key.kid === kid);
  if (!jwk) return null;
  const key = await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["verify"]);
  const signed = encoder.encode(`${header}.${payload}`);
  return (await crypto.subtle.verify(algorithm, key, bytes(signature), signed)) ? json(payload) : null;
}

const tag = {
  element(head) {
    head.prepend('<script src="/.session-gate/boot.js"></script>', { html: true });
  },
};

export default {
  async fetch(request, env) {
    const token = /(?:^|; )session_gate=([^;]+)/.exec(request.headers.get("Cookie") ?? "")?.[1];
    if (!token) return new Response("payment required", { status: 401 });
    let session = verdicts.get(token);
    if (session === undefined) {
      session = await verify(token, env.JWKS);
      verdicts.set(token, session);
    }
    if (!session || Date.now() >= session.exp * 1000) return new Response("no session", { status: 401 });
    const headers = new Headers(request.headers);
    headers.set("Session-Gate-Session", session.jti);
    headers.set("Session-Gate-User", session.sub);
    headers.set("Session-Gate-Expires", String(session.exp));
    headers.delete("Cookie");
    const answer = await env.ORIGIN.fetch(new Request(request, { headers }));
    if (!answer.headers.get("Content-Type")?.startsWith("text/html")) return answer;
    return new HTMLRewriter().on("head", tag).transform(answer);
  },
};
