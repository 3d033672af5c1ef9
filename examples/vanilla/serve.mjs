// Serves the page, the package's files, and passes /api on to the session service,
// so that nothing here is cross-origin: SESSIONGATE_API=http://127.0.0.1:8081 PORT=5000 npm start
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { Readable } from "node:stream";

const api = process.env.SESSIONGATE_API ?? "http://127.0.0.1:8081";
const sdk = new URL("../../sdk-inject/lib/", import.meta.url);
const here = new URL("./", import.meta.url);
const types = { js: "text/javascript", html: "text/html", map: "application/json" };

createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://here");
  try {
    if (pathname.startsWith("/api/")) {
      const { host, connection, "content-length": _, ...headers } = request.headers;
      const answer = await fetch(api + request.url, {
        method: request.method,
        headers,
        ...(request.method === "POST" && { body: Readable.toWeb(request), duplex: "half" }),
      });
      response.writeHead(answer.status, { "Content-Type": answer.headers.get("content-type") ?? "" });
      return response.end(await answer.text());
    }
    if (!/^[\w./-]*$/.test(pathname) || pathname.includes("..")) throw new Error("no such file");
    const file = pathname.startsWith("/sdk/")
      ? new URL(pathname.slice(5), sdk)
      : new URL(pathname === "/" ? "index.html" : pathname.slice(1), here);
    const body = await readFile(file);
    response.writeHead(200, { "Content-Type": types[file.pathname.split(".").pop()] ?? "text/plain" });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
}).listen(Number(process.env.PORT ?? 5000), "127.0.0.1");
