import { headers } from "next/headers";
import { Suspense } from "react";
import { Counter } from "../../counter.jsx";

async function Answer() {
  const user = (await headers()).get("session-gate-user");
  // Until somebody asks ./go for it: slow on any machine.
  await new Promise((resolve) => (globalThis.waiting ??= new Set()).add(resolve));
  return <p>Thought for {user}</p>;
}

export default function Slow() {
  return (
    <main>
      <Suspense fallback={<p>Thinking</p>}>
        <Answer />
      </Suspense>
      <Counter />
    </main>
  );
}
