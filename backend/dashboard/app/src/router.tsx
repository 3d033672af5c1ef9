import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import type { Me } from "./types";

export const ROOT = "/dashboard";

const changed = new EventTarget();

/** Goes to a path of ours, without loading the page anew. */
export function go(to: string, how: "push" | "replace" = "push"): void {
  if (to === location.pathname + location.search) return;
  history[how === "push" ? "pushState" : "replaceState"](null, "", to);
  changed.dispatchEvent(new Event("change"));
}

/** Where we are: the parts of the path below /dashboard, and the query. */
export function useRoute(): { parts: string[]; path: string; query: URLSearchParams } {
  const [, setVersion] = useState(0);
  useEffect(() => {
    const update = () => setVersion((n) => n + 1);
    changed.addEventListener("change", update);
    addEventListener("popstate", update);
    return () => {
      changed.removeEventListener("change", update);
      removeEventListener("popstate", update);
    };
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

/** The same page with other words in its query; empty ones are left out. */
export function withQuery(change: Record<string, string | undefined>): string {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change))
    if (value) query.set(name, value);
    else query.delete(name);
  const text = query.toString();
  return location.pathname + (text ? `?${text}` : "");
}

/** Who looks, and at whose pages. */
export interface Viewer {
  me: Me;
  /** Below which path the pages stand: an operator reads a provider's below its own. */
  base: string;
  /** An operator reads: what changes something of the provider's is not offered. */
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
  /** From the dashboard's start, rather than from the start of the pages one is in. */
  root?: boolean | undefined;
  className?: string | undefined;
  current?: boolean | undefined;
  children: ReactNode;
}

/** A link within the dashboard. Opens in another tab as links do. */
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
