import { Session } from "../session.jsx";

export default function Classic() {
  return (
    <main>
      <h1>Next.js example, pages router</h1>
      <Session />
    </main>
  );
}
