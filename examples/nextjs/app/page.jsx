import { Session } from "../session.jsx";

// A server component. The session is a client component below it.
export default function Page() {
  return (
    <main>
      <h1>Next.js example, app router</h1>
      <Session />
    </main>
  );
}
