(() => {
const known = Symbol.for("sessiongate.worker");
if (self[known] || !self.registration || !self.clients) return;
self[known] = true;
const gate = "/.session-gate/";
const isLaunch = (url) => [...new URL(url).searchParams.getAll("session")].some((token) => {
try { return atob(token.split(".")[0].replace(/-/g, "+").replace(/_/g, "/")).includes("launch+jwt"); } catch { return false; }
});
const looksLikeLaunch = (search) => /[?&]session=(eyJ|%65yJ)/.test(search);
const stuck = async () => (await self.clients.matchAll({ type: "window", includeUncontrolled: true })).filter((client) => isLaunch(client.url));
let over = false;
const look = async (event) => {
const answer = await fetch(gate + "session", { method: "POST", cache: "no-store" }).catch(() => undefined);
if (!answer) return;
const before = over;
over = answer.status === 401;
if (!over || before || !event.resultingClientId) return;
for (let tries = 0, found = false; tries < 20; tries++) {
const client = await self.clients.get(event.resultingClientId);
if (!client && found) return;
if (client) { found = true; client.navigate(client.url).catch(() => {}); }
await new Promise((soon) => setTimeout(soon, found ? 3000 : 250));
}
};
const current = async (request, answer) => {
const kept = await answer;
const refused = kept && (kept.status === 401 || kept.status === 423) && (kept.headers.get("cache-control") || "").includes("no-store");
return refused && request.method === "GET" ? fetch(request).catch(() => kept) : kept;
};
const withClock = async (answer) => {
const from = await answer;
const header = (name) => (from.headers.get(name) || "").toLowerCase();
if (!__CLOCK__ || !from || !from.body || from.status !== 200 || from.redirected || !header("content-type").startsWith("text/html")) return from;
if (/sandbox|nonce-|strict-dynamic|'sha|default-src 'none'/.test(header("content-security-policy")) || header("integrity-policy")) return from;
let first = true;
const add = new TransformStream({ transform(chunk, to) {
if (first) {
first = false;
const text = Array.from(chunk.subarray(0, 4096), (byte) => String.fromCharCode(byte)).join("");
const place = /^(?:\u00ef\u00bb\u00bf)?(?:\s|<!--[^]*?-->)*(?:<!doctype[^>]*>)?/i.exec(text)[0].length;
if (!text.includes(gate + "boot.")) {
to.enqueue(chunk.subarray(0, place));
to.enqueue(new TextEncoder().encode("<script async src=\"" + gate + "boot.js\"></script>"));
chunk = chunk.subarray(place);
}
}
to.enqueue(chunk);
} });
const headers = new Headers(from.headers);
headers.delete("content-length");
return new Response(from.body.pipeThrough(add), { status: 200, statusText: from.statusText, headers });
};
self.addEventListener("fetch", (event) => {
const { url, mode, destination } = event.request;
const { origin, pathname, search } = new URL(url);
if (origin !== self.location.origin) return;
if (pathname.startsWith(gate)) return event.stopImmediatePropagation();
if (mode !== "navigate") return;
if (looksLikeLaunch(search)) { over = false; return event.stopImmediatePropagation(); }
if (destination === "document") {
if (over) { event.stopImmediatePropagation(); return event.waitUntil(look(event)); }
const respondWith = event.respondWith;
event.respondWith = (answer) => {
const kept = current(event.request, answer);
event.waitUntil(kept.then((it) => it && (it.ok || it.status === 401) && look(event), () => {}));
return respondWith.call(event, withClock(kept));
};
}
});
self.addEventListener("install", (event) => event.waitUntil(stuck().then((found) => {
if (found.length) return self.skipWaiting();
if (__REPLACEMENT__) throw new Error("no launch link waits for the gate");
})));
self.addEventListener("activate", (event) => event.waitUntil(stuck().then(async (found) => {
if (!found.length) return;
await self.clients.claim();
for (const client of found) client.navigate(client.url).catch(() => {});
})));
})();
