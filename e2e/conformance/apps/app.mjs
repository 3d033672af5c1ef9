// An app on Node: node app.mjs PORT FILES.
import { createHash } from "node:crypto";
import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";

const [port, files] = process.argv.slice(2);
const page = readFileSync(`${files}/page.html`);

const server = createServer((req, res) => {
  const url = new URL(req.url, "http://app");
  switch (url.pathname) {
    case "/page":
      if (req.headers["if-none-match"]?.includes('"page"')) return res.writeHead(304, { etag: '"page"' }).end();
      res.writeHead(200, { "content-type": "text/html", "content-length": page.length, etag: '"page"' });
      return res.end(req.method === "HEAD" ? undefined : page);
    case "/large.bin":
      res.writeHead(200, { "content-type": "application/octet-stream", "content-length": statSync(`${files}/large.bin`).size });
      return req.method === "HEAD" ? res.end() : createReadStream(`${files}/large.bin`).pipe(res);
    case "/chunked":
      res.writeHead(200, { "content-type": "text/plain" });
      for (let i = 0; i < 1000; i++) res.write(`line ${i}\n`);
      return res.end();
    case "/echo":
      res.writeHead(200, { "content-type": "text/plain" });
      return res.end(url.searchParams.get("n"));
    case "/redirect":
      return res.writeHead(302, { location: "/page" }).end();
    case "/upload": {
      const hash = createHash("sha256");
      let size = 0;
      req.on("data", (d) => (hash.update(d), (size += d.length)));
      return req.on("end", () => res.writeHead(200, { "content-type": "text/plain" }).end(`${hash.digest("hex")} ${size}`));
    }
  }
  res.writeHead(404).end();
});

// Echoes short frames of clients whose mask is zero.
server.on("upgrade", (req, socket, head) => {
  const accept = createHash("sha1").update(req.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  let got = head;
  const answer = () => {
    while (got.length >= 6 && got.length >= 6 + (got[1] & 0x7f)) {
      const n = got[1] & 0x7f;
      socket.write(Buffer.concat([Buffer.from([got[0], n]), got.subarray(6, 6 + n)]));
      got = got.subarray(6 + n);
    }
  };
  socket.on("data", (d) => ((got = Buffer.concat([got, d])), answer()));
  socket.on("error", () => socket.destroy());
  socket.on("end", () => socket.end());
  answer();
});
server.listen(Number(port), "127.0.0.1");
