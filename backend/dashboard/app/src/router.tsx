import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import type { Me } from "./types";

export const ROOT = "/dashboard";

const changed = new EventTarget();

/** Asked before the page is left; it calls `leave` if the user wants to. */
type Guard = (leave: () => void) => void;
let guard: Guard | undefined;
/** The address that is shown, also while the browser has gone back from it. */
let shown = "";
const here = () => location.pathname + location.search;

/** Has the user asked before the page is left, while there is something to lose. */
export function useGuard(ask: Guard, active: boolean): void {
  useEffect(() => {
    if (!active) return;
    guard = ask;
    shown = here();
    // The browser asks itself where the page is closed or loaded anew.
    const stay = (event: Event) => event.preventDefault();
    addEventListener("beforeunload", stay);
    return () => {
      guard = undefined;
      removeEventListener("beforeunload", stay);
    };
  }, [ask, active]);
}

/** Does what would lose unsaved changes, once the user agrees. */
export function guarded(leave: () => void): void {
  if (!guard) {
    leave();
    return;
  }
  guard(() => {
    guard = undefined;
    leave();
  });
}

/** Back and forward, which the browser has already done: the address returns until the user has answered. */
function onPopState(): void {
  const to = here();
  if (!guard || to === shown) return void changed.dispatchEvent(new Event("change"));
  history.pushState(null, "", shown);
  guarded(() => go(to));
}
globalThis.addEventListener?.("popstate", onPopState);

/** Navigates to a path of the dashboard without loading the page. */
export function go(to: string, how: "push" | "replace" = "push"): void {
  if (to === here()) return;
  if (guard && to.split("?")[0] !== location.pathname) {
    guarded(() => go(to, how));
    return;
  }
  history[how === "push" ? "pushState" : "replaceState"](null, "", to);
  changed.dispatchEvent(new Event("change"));
}

/** The current route: the parts of the path below /dashboard, and the query. */
export function useRoute(): { parts: string[]; path: string; query: URLSearchParams } {
  const [, setVersion] = useState(0);
  useEffect(() => {
    const update = () => setVersion((n) => n + 1);
    changed.addEventListener("change", update);
    return () => changed.removeEventListener("change", update);
  }, []);
  const path = location.pathname;
  const parts = path.slice(ROOT.length).split("/").filter(Boolean).map(decode);
  return { parts, path, query: new URLSearchParams(location.search) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The current URL with changed query parameters. Empty ones are removed. */
export function withQuery(change: Record<string, string | undefined>): string {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change))
    if (value) query.set(name, value);
    else query.delete(name);
  const text = query.toString();
  return location.pathname + (text ? `?${text}` : "");
}

/** Who is signed in, and whose pages are shown. */
export interface Viewer {
  me: Me;
  /** The base path of the pages. An operator sees a provider's pages below another path. */
  base: string;
  /** Whether an operator views a provider's pages. Most changes are then not offered. */
  reading: boolean;
}
const ViewerContext = createContext<Viewer | undefined>(undefined);
export const ViewerProvider = ViewerContext.Provider;

export function useViewer(): Viewer {
  const viewer = useContext(ViewerContext);
  if (!viewer) throw new Error("useViewer needs a ViewerProvider");
  return viewer;
}

interface LinkProps {
  to: string;
  /** Relative to the dashboard's root instead of the base path. */
  root?: boolean | undefined;
  className?: string | undefined;
  current?: boolean | undefined;
  children: ReactNode;
}

/** A link within the dashboard. Modifier keys work as for any link. */
export function Link({ to, root, className, current, children }: LinkProps) {
  const base = useContext(ViewerContext)?.base ?? "";
  const path = ROOT + (root ? "" : base) + to;
  return (
    <a
      href={path}
      className={className}
      aria-current={current ? "page" : undefined}
      onClick={(event: MouseEvent) => {
        if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        go(path);
      }}
    >
      {children}
    </a>
  );
}
