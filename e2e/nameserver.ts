import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

const TYPES = { A: 1, CNAME: 5, TXT: 16 } as const;
type Type = keyof typeof TYPES;

/** A DNS server on this machine whose records a test sets, as a provider does in a DNS panel. */
export interface NameServer {
  address: string;
  set(name: string, type: Type, value: string): void;
  stop(): Promise<void>;
}

const nameOf = (name: string): Buffer =>
  Buffer.concat([
    ...name.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);

const dataOf = (type: Type, value: string): Buffer =>
  type === "A" ? Buffer.from(value.split(".").map(Number)) : type === "CNAME" ? nameOf(value) : Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);

/** Reads the name and the type of a query's only question, and where the question ends. */
function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length).toLowerCase());
    at += 1 + length;
  }
  return { name: labels.join("."), type: query.readUInt16BE(at + 1), end: at + 5 };
}

export async function serveNames(): Promise<NameServer> {
  const records = new Map<string, string>();
  const exists = (name: string) => [...records.keys()].some((key) => key.startsWith(`${name} `) || key.split(" ")[0]?.endsWith(`.${name}`));
  const find = (name: string, type: Type) => records.get(`${name} ${type}`) ?? (exists(name) ? undefined : records.get(`*.${name.split(".").slice(1).join(".")} ${type}`));
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    const question = questionOf(query);
    const answers: Buffer[] = [];
    let name = question.name;
    for (let hops = 0; hops < 8; hops++) {
      const asked = (Object.keys(TYPES) as Type[]).find((type) => TYPES[type] === question.type);
      const type = asked && find(name, asked) !== undefined ? asked : "CNAME";
      const value = find(name, type);
      if (value === undefined) break;
      const data = dataOf(type, value);
      const head = Buffer.alloc(10);
      head.writeUInt16BE(TYPES[type], 0);
      head.writeUInt16BE(1, 2);
      head.writeUInt32BE(1, 4);
      head.writeUInt16BE(data.length, 8);
      answers.push(Buffer.concat([nameOf(name), head, data]));
      if (type === asked) break;
      name = value;
    }
    const header = Buffer.alloc(12);
    header.writeUInt16BE(query.readUInt16BE(0), 0);
    header.writeUInt16BE(0x8180 | (answers.length || exists(question.name) ? 0 : 3), 2); // or NXDOMAIN
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(answers.length, 6);
    socket.send(Buffer.concat([header, query.subarray(12, question.end), ...answers]), from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    address: `127.0.0.1:${(socket.address() as AddressInfo).port}`,
    set: (name, type, value) => void records.set(`${name} ${type}`, value),
    stop: async () => {
      socket.close();
      await once(socket, "close");
    },
  };
}
