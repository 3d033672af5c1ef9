import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./examples.ts";
import { eventually, freePorts, type System } from "./system.ts";

/** What docs/recipes shows, by the file that a block's first line names, or else by its language. */
export function recipe(name: string): (key: string) => string {
  const doc = readFileSync(join(root, "docs/recipes", `${name}.md`), "utf8");
  const blocks = new Map<string, string>();
  for (const [, language, text] of doc.matchAll(/^```(\w+)\n(.*?)^```$/gms)) {
    const key = /^(?:<\?php )?(?:#|\/\/) (\S+\.\w+.*)\n/.exec(text ?? "")?.[1] ?? language;
    blocks.set(key ?? "", (blocks.get(key ?? "") ?? "") + text);
  }
  return (key) => {
    const block = blocks.get(key);
    if (!block) throw new Error(`docs/recipes/${name}.md shows no ${key}`);
    return block;
  };
}

export interface Running {
  port: number;
  stop(): Promise<void>;
}

async function listening(child: ChildProcess, port: number, dir: string): Promise<Running> {
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (log += chunk));
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async () => {
    child.kill("SIGTERM");
    await gone;
    rmSync(dir, { recursive: true, force: true });
  };
  const there = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true)).once("error", () => resolve(false));
      socket.once("close", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
  try {
    await eventually(
      async () => {
        if (child.exitCode !== null) throw new Error(`it ended:\n${log}`);
        return there();
      },
      () => `somebody listens at ${port}:\n${log}`,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}

/**
 * An edge of its own with a recipe's Caddyfile, for the demo's session service:
 * https://app.provider.com is at the port. The provider is registered once.
 */
export async function edge(system: System, caddyfile: string): Promise<Running> {
  const answer = await fetch(`${system.api}/api/v1/providers`, {
    method: "POST",
    headers: { Authorization: `Bearer ${system.admin_key}`, "Content-Type": "application/json" },
    body: JSON.stringify({
      id: "prov_app",
      name: "App",
      app_url: "https://app.provider.com/",
      policies: { return_hosts: [new URL(system.marketplace).host] },
    }),
  });
  if (!answer.ok && answer.status !== 409) throw new Error(`registering: ${answer.status} ${await answer.text()}`);
  const dir = mkdtempSync(join(tmpdir(), "sessiongate-edge-"));
  const base = await freePorts();
  const file = join(dir, "Caddyfile");
  const global = `{
	admin off
	default_bind 127.0.0.1
	http_port ${base}
	https_port ${base + 1}
	local_certs
	skip_install_trust
	session_gate {
		backend ${system.api}
		edge_key ${system.edge_key}
	}
}
`;
  writeFileSync(file, global + caddyfile, { mode: 0o600 });
  const child = spawn(process.env.SESSIONGATE_BIN ?? "", ["run", "--config", file, "--adapter", "caddyfile"], {
    env: { ...process.env, HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return listening(child, base + 1, dir);
}

/** nginx with a recipe's server, which has a certificate for localhost. */
export async function nginx(server: (dir: string, port: number) => string): Promise<Running & { certificate: string }> {
  const dir = mkdtempSync(join(tmpdir(), "sessiongate-nginx-"));
  const certificate = join(dir, "origin.provider.com.crt");
  execFileSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=localhost"],
    ...["-addext", "subjectAltName=DNS:localhost", "-keyout", join(dir, "origin.provider.com.key"), "-out", certificate],
  ], { stdio: "pipe" });
  const port = await freePorts();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((n) => `${n}_temp_path ${dir}/${n};`).join(" ");
  writeFileSync(
    join(dir, "nginx.conf"),
    `daemon off; pid ${dir}/pid; error_log stderr; events {}\nhttp {\naccess_log off; ${temporary}\n${server(dir, port)}}\n`,
  );
  const child = spawn("/usr/sbin/nginx", ["-e", "stderr", "-p", dir, "-c", join(dir, "nginx.conf")], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { certificate, ...(await listening(child, port, dir)) };
}
