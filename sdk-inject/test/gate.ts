import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { SessionView } from "../src/protocol";

export interface Call {
  method: string;
  path: string;
  body: unknown;
  headers: IncomingHttpHeaders;
}

/** A status with a body; "drop" loses the answer; "hang" never gives one. */
export type Answer = { status?: number; body?: unknown; headers?: Record<string, string> } | "drop" | "hang";

/** A gate on a real port that answers as a test tells it to. */
export class TestGate {
  calls: Call[] = [];
  view: SessionView;
  /** What the next calls of a path get, before the usual answer. */
  script = new Map<string, Answer[]>();
  #server: Server;
  #open = 0;

  constructor(
    readonly now: () => number,
    view: Partial<SessionView> = {},
  ) {
    this.view = {
      id: "s1",
      provider_id: "prov_demo",
      status: "active",
      version: 1,
      expires_at: Math.floor(now() / 1000) + 600,
      duration_limit_seconds: 600,
      tokens_allocated: 100,
      return_url: "https://market.example/receipt",
      extension: { additional_seconds: 600, tokens: 50, max_count: 2 },
      ...view,
    };
    this.#server = createServer(async (request, response) => {
      let text = "";
      for await (const chunk of request) text += chunk;
      const path = (request.url ?? "").split("/").pop() ?? "";
      this.#open++;
      response.once("close", () => this.#open--);
      this.calls.push({
        method: request.method ?? "",
        path,
        body: text ? JSON.parse(text) : undefined,
        headers: request.headers,
      });
      const answer = this.script.get(path)?.shift() ?? { body: this.usual(path) };
      if (answer === "hang") return;
      if (answer === "drop") return void request.socket.destroy();
      response.writeHead(answer.status ?? 200, { "Content-Type": "application/json", ...answer.headers });
      response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/.session-gate/`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Whether every call so far has had its answer, or lost it. */
  get idle(): boolean {
    return this.#open === 0;
  }

  count(path: string): number {
    return this.calls.filter((call) => call.path === path).length;
  }

  /** The session changes, as by another tab or the marketplace. */
  change(fields: Partial<SessionView>): void {
    this.view = { ...this.view, ...fields, version: this.view.version + 1 };
  }

  answers(path: string, ...answers: Answer[]): void {
    this.script.set(path, answers);
  }

  private usual(path: string): unknown {
    const { extension } = this.view;
    if (path === "extend" && extension)
      this.change({
        expires_at: this.view.expires_at + extension.additional_seconds,
        duration_limit_seconds: this.view.duration_limit_seconds + extension.additional_seconds,
        extension: { ...extension, used: (extension.used ?? 0) + 1 },
      });
    const { view } = this;
    if (path !== "heartbeat") return { session: view, server_time_ms: this.now() };
    const { status, version, expires_at } = view;
    return {
      acknowledged: true,
      remaining_seconds: 1,
      status,
      version,
      expires_at,
      server_time_ms: this.now(),
    };
  }
}

export function problem(status: number, code: string, more: object = {}): Answer {
  return { status, body: { title: code, status, code, ...more } };
}
