import { useEffect, useState } from "react";

// Which data the pages show: live, or those of test keys. The choice is that of one window.

const KEY = "sessiongate-test-data";
const changed = new EventTarget();
let test = read();

function read(): boolean {
  try {
    return sessionStorage.getItem(KEY) === "1";
  } catch {
    return false; // storage is blocked
  }
}

export const isTest = (): boolean => test;

export function setTest(on: boolean): void {
  test = on;
  try {
    if (on) sessionStorage.setItem(KEY, "1");
    else sessionStorage.removeItem(KEY);
  } catch {}
  changed.dispatchEvent(new Event("change"));
}

/** Whether test data are shown. */
export function useTest(): boolean {
  const [, setVersion] = useState(0);
  useEffect(() => {
    const update = () => setVersion((n) => n + 1);
    changed.addEventListener("change", update);
    return () => changed.removeEventListener("change", update);
  }, []);
  return test;
}

/** Below a provider's path: what lists and counts sessions, or belongs to one mode. */
const BY_MODE = /^\/(sessions(\.csv)?|stats|analytics\/\w+(\.csv)?|webhooks)$/;

/** The mode to ask a path of a provider for, if it is not the service's own choice. */
export function modeFor(rest: string): string | undefined {
  if (!BY_MODE.test(rest)) return undefined;
  if (test) return "test";
  // Without one, webhooks of both kinds are listed.
  return rest === "/webhooks" ? "live" : undefined;
}
