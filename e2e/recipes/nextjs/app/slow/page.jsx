import { headers } from "next/headers";
import { Suspense } from "react";
import { Counter } from "../../counter.jsx";

async function Answer() {
  const user = (await headers()).get("session-gate-user");
  await new Promise((resolve) => setTimeout(resolve, 2000));
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
