// A page and a gate from memory, for looking at the interface without a backend:
//   npm run build && npm run dev -- [port]
// Query parameters of the page: seconds, status, warn (comma separated), offer
// (off, none, poor, consent, flaky), pause, back (off), hostile, polluted, storage,
// sandbox, report (to the page around it), lang, rtl, csp (strict, nonce, integrity),
// settlement (full, prorated), mode (test, staff, preview), site (JSON, as the gate answers it), head and body (HTML of the page; the head's follows our tag).
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const now = () => Date.now() / 1000;

/** A part as the gate serves it: with the integrity of those that it loads; under names without a hash. */
function part(file) {
  return readFileSync(join(root, "dist", file), "utf8").replace(
    /__HASH_OF_([A-Z]+(?:_[A-Z]+)*)__/g,
    (_, name) => integrity(`${name.replace("_", "-").toLowerCase()}.js`),
  );
}
const integrity = (file) => `sha384-${createHash("sha384").update(part(file)).digest("base64")}`;

export function createGate() {
  const calls = [];
  let session;
  let site;
  let offer = "";
  let down = false;
  const seen = new Map();

  function begin(query) {
    const seconds = Number(query.get("seconds") ?? 600);
    const status = query.get("status") ?? "active";
    site = query.has("site") ? JSON.parse(query.get("site")) : undefined;
    offer = query.get("offer") ?? "";
    down = false;
    seen.clear();
    calls.length = 0;
    session = {
      id: "0195c1a2-7b3e-7c4d-9e5f-000000000001",
      provider_id: "prov_demo",
      ...(query.has("mode") && { mode: query.get("mode") }),
      status,
      version: 1,
      expires_at: Math.floor(now() + seconds),
      ...(status === "paused" && { paused_at: Math.floor(now()) }),
      duration_limit_seconds: Number(query.get("total") ?? Math.max(seconds, 600)),
      tokens_allocated: 100,
      return_url:
        query.get("back") === "off" ? "" : `${query.get("market") ?? "http://localhost:8080"}/receipt`,
      ...(query.has("warn") && { warning_seconds: query.get("warn").split(",").map(Number) }),
      ...(offer !== "off" && {
        extension: { additional_seconds: 600, tokens: 50, max_count: 2, used: offer === "none" ? 2 : 0 },
      }),
      ...(query.has("settlement") && { settlement_policy: query.get("settlement") }),
      ...(query.has("pause") && { pause: { max_count: 2, max_seconds: 600, used: 0 } }),
    };
  }

  const refuse = (status, code, more = {}) => [
    status,
    { title: code, status, code, return_url: session.return_url, session_id: session.id, ...more },
  ];
  const view = () => [200, { session, server_time_ms: Date.now(), site }];
  const change = (fields) => {
    session = { ...session, ...fields, version: session.version + 1 };
    return view();
  };

  function answer(action, body, headers) {
    if (session.status === "active" && session.expires_at <= now()) session.status = "expired";
    if (["completed", "expired", "revoked"].includes(session.status))
      return refuse(401, `session_${session.status}`);
    switch (action) {
      case "session":
        return view();
      case "heartbeat":
        if (session.status === "paused") return refuse(423, "session_paused");
        return [
          200,
          {
            acknowledged: true,
            remaining_seconds: Math.ceil(session.expires_at - now()),
            status: session.status,
            version: session.version,
            expires_at: session.expires_at,
            server_time_ms: Date.now(),
          },
        ];
      case "extend": {
        if (offer === "poor") return refuse(402, "insufficient_tokens");
        const { used, max_count, additional_seconds, tokens } = session.extension;
        if (offer === "consent" || used >= max_count)
          return refuse(403, "consent_required", { consent_url: "https://market.example/consent/1" });
        const key = headers["idempotency-key"];
        if (!seen.has(key)) {
          if (body.additional_seconds !== additional_seconds || body.tokens_to_deduct !== tokens)
            return refuse(403, "consent_required");
          change({
            expires_at: session.expires_at + additional_seconds,
            duration_limit_seconds: session.duration_limit_seconds + additional_seconds,
            extension: { ...session.extension, used: used + 1 },
          });
          seen.set(key, view());
          // The purchase went through; its answer is lost.
          if (offer === "flaky") return null;
        }
        return seen.get(key);
      }
      case "pause":
        return change({ status: "paused", paused_at: Math.floor(now()) });
      case "resume":
        return change({
          status: "active",
          paused_at: undefined,
          expires_at: Math.floor(session.expires_at + now() - session.paused_at),
        });
      case "end":
        return change({ status: "completed" });
    }
    return refuse(404, "not_found");
  }

  const listener = async (request, response) => {
    const url = new URL(request.url, "http://dev");
    const [, name] = /^\/\.session-gate\/(.+)$/.exec(url.pathname) ?? [];
    const file = /^__[A-Z_]+__$/.test(name ?? "")
      ? `${name.replaceAll("_", " ").trim().replace(" ", "-").toLowerCase()}.js`
      : name === "boot.js" && name;
    if (file) {
      response.writeHead(200, {
        "Content-Type": "text/javascript; charset=utf-8",
        // As the gate does: a sandboxed page has no origin, and still runs boot.js.
        ...(file === "boot.js"
          ? { "Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*" }
          : { "Cross-Origin-Resource-Policy": "same-origin" }),
      });
      return response.end(part(file));
    }
    if (name) {
      let text = "";
      try {
        for await (const chunk of request) text += chunk;
      } catch {
        return; // the page went while it spoke
      }
      const body = text ? JSON.parse(text) : undefined;
      calls.push({ name, method: request.method, body, headers: request.headers, at: Date.now() });
      const made = down ? null : answer(name, body, request.headers);
      if (!made) return request.socket.destroy();
      const [status, json] = made;
      response.writeHead(status, {
        "Content-Type": status < 400 ? "application/json" : "application/problem+json",
        "Cache-Control": "no-store",
      });
      return response.end(JSON.stringify(json));
    }
    if (url.pathname === "/receipt" || url.pathname === "/favicon.ico") {
      response.writeHead(200, { "Content-Type": "text/html" });
      return response.end("<!doctype html><title>Receipt</title><h1>Receipt</h1>");
    }
    if (url.pathname === "/frame") {
      response.writeHead(200, { "Content-Type": "text/html" });
      const sandbox = url.searchParams.get("sandbox");
      return response.end(
        `<!doctype html><iframe src="${url.searchParams.get("src")}"${sandbox ? ` sandbox="${sandbox}"` : ""}></iframe>
<script>addEventListener("message", ({ data }) => (window.report = data))</script>`,
      );
    }
    if (url.pathname !== "/" || !url.searchParams.has("keep")) begin(url.searchParams);
    const policy = {
      strict:
        "default-src 'none'; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'",
      sandbox: "sandbox allow-scripts",
      nonce:
        "default-src 'none'; script-src 'nonce-abc' 'strict-dynamic'; connect-src 'self'; style-src 'none'",
    }[url.searchParams.has("sandbox") ? "sandbox" : url.searchParams.get("csp")];
    response.writeHead(200, {
      "Content-Type": "text/html; charset=utf-8",
      ...(policy && { "Content-Security-Policy": policy }),
      ...(url.searchParams.get("csp") === "integrity" && {
        "Integrity-Policy": "blocked-destinations=(script)",
      }),
    });
    response.end(page(url.searchParams));
  };

  return {
    listener,
    calls,
    session: () => session,
    change,
    setSite: (value) => {
      site = value;
    },
    setDown: (value) => {
      down = value;
    },
  };
}

function page(query) {
  const sheet = query.has("csp")
    ? ""
    : `<style>
:root{color-scheme:light dark}
body{margin:0;font:16px/1.6 Georgia,serif;background:light-dark(#fff,#15171a);color:light-dark(#222,#ddd)}
main{max-width:42rem;margin:0 auto;padding:48px 24px}
img,.figure{display:block;height:180px;border-radius:8px;background:linear-gradient(120deg,#c9d6c3,#7aa6a1)}
${query.has("hostile") ? "*{all:unset!important}" : ""}
</style>`;
  const bad = [
    query.has("polluted") &&
      "Object.assign(Object.prototype,{extra:()=>1});Object.assign(Array.prototype,{extra:'x'});window.fetch=()=>Promise.reject(new Error('theirs'))",
    query.has("report") &&
      "setInterval(()=>parent.postMessage({h1:document.querySelector('h1')?.textContent,timer:!!document.querySelector('session-gate'),origin,after:performance.now()},'*'),250)",
    query.has("storage") &&
      "Object.defineProperty(window,'localStorage',{get(){throw new DOMException('blocked','SecurityError')}})",
  ]
    .filter(Boolean)
    .map((script) => `<script>${script}</script>`)
    .join("");
  const hash = query.get("csp") === "integrity" ? ` integrity="${integrity("boot.js")}" crossorigin` : "";
  const tag = `<script nonce="abc" src="/.session-gate/boot.js"${hash}></script>`;
  const text = "The river kept its own hours, and the people beside it learned to read them. ".repeat(6);
  return `<!doctype html><html lang="${query.get("lang") ?? "en"}"${query.has("rtl") ? ' dir="rtl"' : ""}><head>
${tag}${bad}${query.get("head") ?? ""}<meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>An app</title>${sheet}</head><body><main>
<h1>Field notes</h1><p>${text}</p><div class="figure"></div><p>${text}</p>
<p><label>Your note <input id="note"></label> <button id="own">Save</button></p>
<dialog id="theirs"><p>A modal of the page</p><button>OK</button></dialog><p>${text}</p></main>
${query.get("body") ?? ""}</body></html>`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const port = Number(process.argv[2] ?? 4173);
  createServer(createGate().listener).listen(port, "127.0.0.1", () =>
    console.log(`http://localhost:${port}/?seconds=70&warn=60`),
  );
}
