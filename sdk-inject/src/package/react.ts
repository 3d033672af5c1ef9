"use client";
/**
 * The session in React 18 and 19: a hook, and a provider for hooks deeper in the tree.
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
import type { SDKConfig } from "./config";
import { SDKError } from "./errors";
import type { MarketplaceSDK } from "./sdk";

/**
 * The session, and what can be done with it.
 *
 * @public
 */
export interface MarketplaceSession extends Snapshot {
  /** Undefined on a server and before the first effect. */
  sdk: MarketplaceSDK | undefined;
  /** As `MarketplaceSDK.endSession`. */
  endSession(): Promise<void>;
  /** As `MarketplaceSDK.pauseTimer`. */
  pauseSession(): Promise<void>;
  /** As `MarketplaceSDK.resumeTimer`. */
  resumeSession(): Promise<void>;
  /** As `MarketplaceSDK.extend`. */
  extendSession(): Promise<void>;
}

/**
 * Opens the session when the component mounts. Renders on a server as `loading`;
 * survives StrictMode's second mount.
 *
 * @public
 */
export function useMarketplaceSession(config: SDKConfig): MarketplaceSession {
  const [snapshot, set] = useState<Snapshot>(first);
  const held = useRef<{ sdk: MarketplaceSDK; going?: ReturnType<typeof setTimeout> | undefined }>(undefined);
  const handlers = useRef(config);
  handlers.current = config;
  useEffect(() => {
    // StrictMode unmounts and mounts again at once: then nothing has happened.
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
  const act = (name: "endSession" | "pauseTimer" | "resumeTimer" | "extend") => () =>
    held.current?.sdk[name]() ?? Promise.reject(new SDKError("Not mounted yet.", "NOT_INITIALIZED"));
  return {
    ...snapshot,
    sdk,
    endSession: act("endSession"),
    pauseSession: act("pauseTimer"),
    resumeSession: act("resumeTimer"),
    extendSession: act("extend"),
  };
}

/** The first configuration with the newest handlers. */
function latest(ref: { current: SDKConfig }): SDKConfig {
  return new Proxy(ref.current, {
    get: (begun, name: string) => Reflect.get(name.startsWith("on") ? ref.current : begun, name),
  }) as SDKConfig;
}

const Context = createContext<MarketplaceSession | undefined>(undefined);

/**
 * Opens the session for everything in it; {@link useSession} reads it there.
 *
 * @public
 */
export function MarketplaceProvider(props: { config: SDKConfig; children?: ReactNode }): ReactElement {
  return createElement(Context.Provider, { value: useMarketplaceSession(props.config) }, props.children);
}

/**
 * The session of the {@link MarketplaceProvider} above.
 *
 * @throws SDKError `NOT_INITIALIZED` outside of one
 * @public
 */
export function useSession(): MarketplaceSession {
  const session = useContext(Context);
  if (!session) throw new SDKError("There is no MarketplaceProvider above.", "NOT_INITIALIZED");
  return session;
}
