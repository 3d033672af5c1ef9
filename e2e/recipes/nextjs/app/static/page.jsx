import { Counter } from "../../counter.jsx";

export const revalidate = 3600;

export default function Static() {
  return (
    <main>
      <p>Rendered at {Date.now()}</p>
      <Counter />
    </main>
  );
}
