/** Lets every answer go that waits in ../page.jsx. */
export function POST() {
  for (const go of globalThis.waiting ?? []) go();
  globalThis.waiting?.clear();
  return new Response(null, { status: 204 });
}
