import { Counter } from "../counter.jsx";

export function getServerSideProps({ req }) {
  return { props: { user: req.headers["session-gate-user"] } };
}

export default function Classic({ user }) {
  return (
    <main>
      <p>Classic {user}</p>
      <Counter />
    </main>
  );
}
