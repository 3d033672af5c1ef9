import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Seen {
  path: string;
  body: Record<string, unknown>;
  headers: IncomingHttpHeaders;
}

type Session = Record<string, unknown> & { status: string; version: number; expires_at: number };

/** A session service on a real port, with what a direct integration needs of it. */
export class TestBackend {
  seen: Seen[] = [];
  session: Session;
  /** What the next calls of a path get instead: a status and a code, or no answer. */
  script = new Map<string, ([number, string] | "drop")[]>();
  /** The service's own clock. */
  time: () => number = () => Date.now();
  /** The session tokens that took the place of launch tokens. */
  issued: string[] = [];
  /** A service of before there were any. */
  older = false;
  #redeemed = new Map<string, string>();
  #server: Server;

  constructor(seconds = 600) {
    const now = Math.floor(Date.now() / 1000);
    this.session = {
      id: "s-1",
      user_id: "user_7",
      provider_id: "prov_demo",
      status: "active",
      version: 1,
      expires_at: now + seconds,
      duration_limit_seconds: seconds,
      tokens_allocated: 100,
      return_url: "https://market.example/done",
      extension: { additional_seconds: 60, tokens: 5, max_count: 2, used: 0 },
    };
    this.#server = createServer(async (request, response) => {
      let text = "";
      try {
        for await (const chunk of request) text += chunk;
      } catch {
        return; // the page went while it spoke
      }
      const path = (request.url ?? "").split("/").pop() ?? "";
      const send = (status: number, body: object) => {
        response.writeHead(status, {
          "Content-Type": "application/json",
          "Access-Control-Allow-Origin": "*",
          "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key",
        });
        response.end(JSON.stringify(body));
      };
      if (request.method === "OPTIONS") return send(204, {});
      this.seen.push({ path, body: text ? JSON.parse(text) : {}, headers: request.headers });
      const scripted = this.script.get(path)?.shift();
      if (scripted === "drop") return void request.socket.destroy();
      if (scripted) return send(scripted[0], { code: scripted[1], status: scripted[0], detail: "no" });
      if (path === "events") return send(202, {});
      const server_time_ms = this.time();
      if (path === "validate") {
        const { status } = this.session;
        if (status === "active") return send(200, { valid: true, session: this.session, server_time_ms });
        const live = /paused|pending/.test(status);
        return send(400, {
          valid: false,
          code: `session_${status}`,
          ...(live && { session: this.session, server_time_ms }),
        });
      }
      if (path === "launch") {
        const { status } = this.session;
        const { authorization, "idempotency-key": key } = request.headers;
        const redeemed = this.#redeemed.get(`${authorization}`);
        if (redeemed && redeemed !== key) return send(409, { code: "launch_spent", status: 409 });
        if (!/active|paused|pending/.test(status))
          return send(409, { code: `session_${status}`, status: 409 });
        this.#redeemed.set(`${authorization}`, `${key}`);
        if (status === "pending") this.change({ status: "active" });
        if (this.older) return send(200, { session: this.session, server_time_ms });
        const session_token = token({}, "session+jwt");
        this.issued.push(session_token);
        return send(200, { session: this.session, session_token, server_time_ms });
      }
      if (path === "heartbeat") {
        const { status, version, expires_at } = this.session;
        return send(200, {
          acknowledged: true,
          remaining_seconds: 1,
          status,
          version,
          expires_at,
          server_time_ms,
        });
      }
      if (path === "end") this.change({ status: "completed" });
      if (path === "pause") this.change({ status: "paused", paused_at: Math.floor(Date.now() / 1000) });
      if (path === "resume") this.change({ status: "active" });
      if (path === "extend")
        this.change({ expires_at: this.session.expires_at + 60, duration_limit_seconds: 660 });
      send(200, { session: this.session, server_time_ms });
    });
  }

  change(fields: Record<string, unknown>): void {
    this.session = { ...this.session, ...fields, version: this.session.version + 1 };
  }

  count(path: string): number {
    return this.seen.filter((one) => one.path === path).length;
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** The page is left for another one: what the SDKs of one test share is not there for the next. */
export function leavePage(): void {
  Reflect.deleteProperty(window, Symbol.for("sessiongate"));
}

let tokens = 0;

/** A token as the marketplace would sign it, each another one; nobody here checks the signature. */
export function token(claims: object = {}, typ = "launch+jwt"): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    jti: "s-1",
    sub: "user_7",
    provider_id: "prov_demo",
    iat: now,
    exp: now + 600,
    nonce: ++tokens,
    ...claims,
  };
  return `${part({ alg: "ES256", typ })}.${part(payload)}.c2ln`;
}
