import {
  createElement,
  Fragment,
  type ReactElement,
  type ReactNode,
  useEffect,
  useRef,
  useState,
} from "react";
import {
  actionsOf,
  adoptStyles,
  english,
  labelOf,
  type SessionAction,
  type SessionControlsLabels,
  type SessionControlsState,
} from "./controls";
import type { SDKError } from "./errors";
import type { MarketplaceSession } from "./session-react";

/**
 * The properties of {@link SessionControls}.
 *
 * @public
 */
export interface SessionControlsProps {
  /** The session, if there is no {@link MarketplaceProvider} around the component. */
  session?: MarketplaceSession | undefined;
  /** Your own texts. Default: English. */
  labels?: Partial<SessionControlsLabels> | undefined;
  /** Renders the controls in your own way, without the component's markup and style. */
  children?: ((state: SessionControlsState) => ReactNode) | undefined;
  /** A class for the component's element. */
  className?: string | undefined;
}

/** The controls of a session. react.ts adds where the session comes from. */
export function Controls({
  session: source,
  labels: own,
  children,
  className = "",
}: SessionControlsProps & { session: MarketplaceSession }): ReactElement | null {
  const [pending, setPending] = useState<SessionAction | null>(null);
  const [error, setError] = useState<SDKError | null>(null);
  const busy = useRef(false);
  const element = useRef<HTMLDivElement>(null);
  const { session, remainingTime, formattedTime } = source;
  const shown = !children && !!session && session.status !== "ended";
  useEffect(() => {
    if (shown) adoptStyles(element.current);
  }, [shown]);

  async function run(action: SessionAction) {
    if (busy.current) return;
    busy.current = true;
    setPending(action);
    setError(null);
    try {
      await source[`${action}Session`]();
    } catch (failed) {
      setError(failed as SDKError);
    }
    busy.current = false;
    setPending(null);
  }

  const actions = actionsOf(session);
  if (children)
    return createElement(
      Fragment,
      null,
      children({ session, remainingTime, formattedTime, actions, pending, error, run }),
    );
  if (!shown) return null;
  const labels = { ...english, ...own };
  return createElement(
    "div",
    {
      ref: element,
      role: "group",
      "aria-label": labels.group,
      className: `sessiongate-controls ${className}`.trim(),
    },
    createElement("b", { role: "timer" }, formattedTime),
    ...actions.map((action) =>
      createElement(
        "button",
        // aria-disabled keeps the focus where it is.
        { key: action, type: "button", "aria-disabled": !!pending, onClick: () => void run(action) },
        labelOf(action, labels, session),
      ),
    ),
    createElement("p", { key: "error", role: "status" }, error ? labels.failed : ""),
  );
}
