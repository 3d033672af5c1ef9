"use client";
/**
 * The React binding (18 and 19): a hook, and a context provider for components below it.
 *
 * @packageDocumentation
 */
import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useRef,
  useState,
} from "react";
import { createBinding, first, type Snapshot } from "./binding";
import type { CallOptions } from "./cancel";
import type { SDKConfig } from "./config";
import { Controls, type SessionControlsProps } from "./controls-react";
import { failure } from "./errors";
import type { MarketplaceSDK } from "./sdk";
import type { MarketplaceSession } from "./session-react";

export type { CallOptions } from "./cancel";
export type { SessionAction, SessionControlsLabels, SessionControlsState } from "./controls";
export type { SessionControlsProps } from "./controls-react";
export { AuthError, NetworkError, SDKError, ValidationError } from "./errors";
export type { MarketplaceSession } from "./session-react";

/**
 * Opens the session when the component mounts. On a server it returns `loading`. Works with
 * StrictMode, which mounts twice.
 *
 * @public
 */
export function useMarketplaceSession(config: SDKConfig): MarketplaceSession {
  const [snapshot, set] = useState<Snapshot>(first);
  const held = useRef<{ sdk: MarketplaceSDK; going?: ReturnType<typeof setTimeout> | undefined }>(undefined);
  const handlers = useRef(config);
  handlers.current = config;
  useEffect(() => {
    // StrictMode unmounts and immediately mounts again. That must not destroy the SDK.
    if (held.current) clearTimeout(held.current.going);
    else held.current = { sdk: createBinding(latest(handlers), set) };
    const mine = held.current;
    return () => {
      mine.going = setTimeout(() => {
        mine.sdk.destroy();
        held.current = undefined;
      });
    };
  }, []);
  const sdk = held.current?.sdk;
  const act = (name: "endSession" | "pauseTimer" | "resumeTimer" | "extend") => (options?: CallOptions) =>
    held.current?.sdk[name](options) ??
    Promise.reject(failure("The component is not mounted yet.", "NOT_INITIALIZED"));
  return {
    ...snapshot,
    sdk,
    endSession: act("endSession"),
    pauseSession: act("pauseTimer"),
    resumeSession: act("resumeTimer"),
    extendSession: act("extend"),
  };
}

/** Returns the first configuration with the latest handlers. */
function latest(ref: { current: SDKConfig }): SDKConfig {
  return new Proxy(ref.current, {
    get: (begun, name: string) => Reflect.get(name.startsWith("on") ? ref.current : begun, name),
  }) as SDKConfig;
}

const Context = createContext<MarketplaceSession | undefined>(undefined);

/**
 * Opens the session and provides it to its children, which read it with {@link useSession}.
 *
 * @public
 */
export function MarketplaceProvider(props: { config: SDKConfig; children?: ReactNode }): ReactElement {
  return createElement(Context.Provider, { value: useMarketplaceSession(props.config) }, props.children);
}

/**
 * Returns the session of the nearest {@link MarketplaceProvider}.
 *
 * @throws SDKError `NOT_INITIALIZED` if there is none
 * @public
 */
export function useSession(): MarketplaceSession {
  const session = useContext(Context);
  if (!session)
    throw failure("useSession() needs a MarketplaceProvider around the component.", "NOT_INITIALIZED");
  return session;
}

/**
 * The time left and the actions that the session offers: more time, pause, resume, end. A function as
 * its child renders them in your own way. Shows nothing before the session is open, and on a server.
 *
 * @throws SDKError `NOT_INITIALIZED` if it has no `session` and no {@link MarketplaceProvider} around it
 * @public
 */
export function SessionControls(props: SessionControlsProps): ReactElement {
  const around = useContext(Context);
  const session = props.session ?? around;
  if (!session)
    throw failure("SessionControls needs a MarketplaceProvider around it, or a session.", "NOT_INITIALIZED");
  return createElement(Controls, { ...props, session });
}
