import { act, createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createApp, createSSRApp, h } from "vue";
import type { SDKConfig } from "../../src/package/config";
import { pageRecord } from "../../src/package/page";
import { MarketplaceProvider, useMarketplaceSession, useSession } from "../../src/package/react";
import { useMarketplaceSession as useVueSession } from "../../src/package/vue";
import { until } from "../fake";
import { leavePage, TestBackend, token } from "./backend";

let backend: TestBackend;
let config: SDKConfig;

beforeEach(async () => {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  backend = new TestBackend();
  config = { apiEndpoint: await backend.start(), ui: false, redirect: false };
  history.replaceState(null, "", `/?session=${token()}`);
  document.body.innerHTML = "<div id=app></div>";
});

afterEach(() => {
  backend.stop();
  leavePage();
  localStorage.clear();
});

const app = () => document.querySelector("#app") as HTMLElement;
/** Waits, and lets React show what has changed meanwhile. */
const becomes = (check: () => boolean) =>
  until(async () => {
    if (check()) return true;
    await act(() => new Promise((resolve) => setTimeout(resolve, 20)));
    return check();
  }, `${check} in ${app().textContent}`);

function Clock() {
  const { session, loading, error, formattedTime, sdk } = useSession();
  return createElement(
    "p",
    {},
    loading ? "loading" : (error?.code ?? `${session?.sessionId} ${formattedTime} ${!!sdk}`),
  );
}

function App() {
  return createElement(MarketplaceProvider, { config }, createElement(Clock));
}

test("React: one session under StrictMode, gone when unmounted", async () => {
  const root = createRoot(app());
  await act(async () => root.render(createElement(StrictMode, {}, createElement(App))));
  await becomes(() => app().textContent?.startsWith("s-1") ?? false);
  expect(app().textContent).toMatch(/^s-1 (10:00|[89]:\d\d) true$/);
  expect(backend.count("launch")).toBeLessThanOrEqual(2);
  expect(location.search).toBe("");
  await act(async () => root.unmount());
  await becomes(() => !pageRecord().session);
});

test("React: a session that can't be opened is said, and what can be done fails with a code", async () => {
  history.replaceState(null, "", "/");
  let session: ReturnType<typeof useMarketplaceSession> | undefined;
  function Own() {
    session = useMarketplaceSession(config);
    return createElement("p", {}, session.error?.code ?? "");
  }
  const root = createRoot(app());
  await act(async () => root.render(createElement(Own)));
  await becomes(() => app().textContent === "MISSING_TOKEN");
  await expect(session?.pauseSession()).rejects.toMatchObject({ code: "NOT_INITIALIZED" });
  await act(async () => root.unmount());
});

test("React: a server renders it as loading; outside of a provider it is an error", () => {
  expect(renderToString(createElement(App))).toBe("<p>loading</p>");
  expect(() => renderToString(createElement(Clock))).toThrow(/MarketplaceProvider/);
});

test("Vue: opens, counts, ends", async () => {
  let session: ReturnType<typeof useVueSession> | undefined;
  const setup = () => {
    session = useVueSession(config);
    const { formattedTime, loading, error } = session;
    return () => h("p", loading.value ? "loading" : (error.value?.code ?? formattedTime.value));
  };
  const vue = createApp({ setup });
  vue.mount(app());
  expect(app().textContent).toBe("loading");
  await until(() => /^(10:00|[89]:\d\d)$/.test(app().textContent ?? ""));
  await session?.extendSession();
  await until(() => (session?.remainingTime.value ?? 0) > 600);
  await session?.pauseSession();
  await session?.resumeSession();
  await session?.endSession();
  expect(session?.session.value?.status).toBe("ended");
  vue.unmount();
  expect(() => createSSRApp({ setup })).not.toThrow();
});

test("Vue: what can be done fails with a code before it is mounted", async () => {
  let failed: Promise<unknown> | undefined;
  createApp({
    setup() {
      failed = useVueSession(config)
        .endSession()
        .catch((error: unknown) => error);
      return () => h("p");
    },
  }).mount(app());
  expect(await failed).toMatchObject({ code: "NOT_INITIALIZED" });
});
