// Forwards requests to the session service, so that none is cross-origin.
export async function POST(request) {
  const { pathname } = new URL(request.url);
  const api = process.env.SESSIONGATE_API ?? "http://127.0.0.1:8081";
  const headers = new Headers();
  for (const name of ["authorization", "content-type", "idempotency-key"]) {
    const value = request.headers.get(name);
    if (value) headers.set(name, value);
  }
  const answer = await fetch(api + pathname, { method: "POST", headers, body: await request.text() });
  return new Response(await answer.text(), {
    status: answer.status,
    headers: { "Content-Type": answer.headers.get("Content-Type") ?? "application/json" },
  });
}
