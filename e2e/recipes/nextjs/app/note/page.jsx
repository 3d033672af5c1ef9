import { cookies, headers } from "next/headers";
import { revalidatePath } from "next/cache";
import Link from "next/link";
import { Counter } from "../../counter.jsx";

async function keep(form) {
  "use server";
  const user = (await headers()).get("session-gate-user");
  (await cookies()).set("note", `${form.get("note")} of ${user}`, { secure: true, httpOnly: true });
  revalidatePath("/note");
}

export default async function Note() {
  return (
    <main>
      <p>Note: {(await cookies()).get("note")?.value}</p>
      <form action={keep}>
        <input name="note" aria-label="note" />
        <button type="submit">Keep</button>
      </form>
      <Counter />
      <Link href="/static">To the static page</Link>
    </main>
  );
}
