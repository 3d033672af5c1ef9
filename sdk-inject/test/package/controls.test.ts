import { act, createElement, StrictMode, Suspense } from "react";
import { createRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createApp, createSSRApp, defineComponent, h, KeepAlive, ref } from "vue";
import { renderToString as renderVue } from "vue/server-renderer";
import type { SDKConfig } from "../../src/package/config";
import type { SessionControlsState } from "../../src/package/controls";
import { MarketplaceProvider, SessionControls } from "../../src/package/react";
import { useMarketplaceSession, SessionControls as VueControls } from "../../src/package/vue";
import { until } from "../fake";
import { leavePage, TestBackend, token } from "./backend";

let backend: TestBackend;
let config: SDKConfig;
let root: Root | undefined;

beforeEach(async () => {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  backend = new TestBackend();
  backend.session.pause = { max_count: 3, max_seconds: 600, used: 0 };
  config = { apiEndpoint: await backend.start(), ui: false, redirect: false };
  history.replaceState(null, "", `/?session=${token()}`);
  document.body.innerHTML = "<div id=app></div>";
});

afterEach(async () => {
  if (root) await act(async () => root?.unmount());
  root = undefined;
  backend.stop();
  leavePage();
  localStorage.clear();
});

const app = () => document.querySelector("#app") as HTMLElement;
const names = () => [...app().querySelectorAll("button")].map((one) => one.textContent);
const press = async (name: string) => {
  const button = [...app().querySelectorAll("button")].find((one) => one.textContent?.startsWith(name));
  if (!button) throw new Error(`no ${name} in ${names()}`);
  await act(async () => button.click());
};
const becomes = (check: () => boolean) =>
  until(async () => {
    if (check()) return true;
    await act(() => new Promise((resolve) => setTimeout(resolve, 20)));
    return check();
  }, `${check} in ${app().innerHTML}`);

async function react(child: ReturnType<typeof createElement>) {
  root = createRoot(app());
  const tree = createElement(MarketplaceProvider, { config }, createElement(Suspense, {}, child));
  await act(async () => root?.render(createElement(StrictMode, {}, tree)));
}

test("React: time and actions, as the session offers them, under StrictMode and Suspense", async () => {
  await react(createElement(SessionControls));
  expect(app().innerHTML).toBe("");
  await becomes(() => names().length === 3);
  expect(names()).toEqual(["More time (5 tokens)", "Pause", "End session"]);
  const group = app().querySelector("[role=group]");
  expect(group?.getAttribute("aria-label")).toBe("Session");
  expect(app().querySelector("[role=timer]")?.textContent).toMatch(/^(10:00|9:\d\d)$/);
  await press("Pause");
  await becomes(() => names().includes("Resume"));
  await press("Resume");
  await becomes(() => names().includes("Pause"));
  await press("More time");
  await becomes(() => backend.count("extend") === 1);
  await becomes(() => !app().querySelector('[aria-disabled="true"]'));
  await press("End session");
  await becomes(() => app().innerHTML === "");
  expect(backend.count("end")).toBe(1);
});

test("React: a second press while the first is carried out does nothing; a failure is said", async () => {
  await react(createElement(SessionControls, { labels: { failed: "Nope." } }));
  await becomes(() => names().length === 3);
  backend.script.set("pause", [[403, "pause_not_allowed"]]);
  const pauseButton = [...app().querySelectorAll("button")][1];
  await act(async () => {
    pauseButton?.click();
    pauseButton?.click();
  });
  await becomes(() => app().querySelector("[role=status]")?.textContent === "Nope.");
  expect(backend.count("pause")).toBe(1);
});

test("React: without an offer there is no such action; a function renders its own", async () => {
  backend.session.extension = undefined;
  backend.session.pause = { max_count: 1, max_seconds: 60, used: 1 };
  let seen: SessionControlsState | undefined;
  await react(
    createElement(SessionControls, {
      // biome-ignore lint/correctness/noChildrenProp: a function, without JSX
      children: (state: SessionControlsState) => {
        seen = state;
        return createElement("i", {}, state.actions.join());
      },
    }),
  );
  await becomes(() => app().innerHTML === "<i>end</i>");
  expect([seen?.pending, seen?.error, seen?.session?.sessionId]).toEqual([null, null, "s-1"]);
});

test("React: a server renders nothing; outside of a provider it is an error", () => {
  const tree = createElement(MarketplaceProvider, { config }, createElement(SessionControls));
  expect(renderToString(tree)).toBe("");
  expect(() => renderToString(createElement(SessionControls))).toThrow(/MarketplaceProvider/);
});

test("Vue: time and actions, also after KeepAlive has put them away and back", async () => {
  const here = ref(true);
  const vue = createApp(
    defineComponent({
      setup() {
        const source = useMarketplaceSession(config);
        return () => h(KeepAlive, () => (here.value ? h(VueControls, { source }) : undefined));
      },
    }),
  );
  vue.mount(app());
  await until(() => names().length === 3);
  here.value = false;
  await until(() => names().length === 0);
  here.value = true;
  await until(() => names().length === 3);
  expect(names()).toEqual(["More time (5 tokens)", "Pause", "End session"]);
  await press("Pause");
  await until(() => names().includes("Resume"));
  vue.unmount();
});

test("Vue: a slot renders its own; a failure is in its state; a server renders none of it", async () => {
  let seen: SessionControlsState | undefined;
  const setup = () => {
    const source = useMarketplaceSession(config);
    return () =>
      h(
        VueControls,
        { source },
        {
          default: (state: SessionControlsState) => {
            seen = state;
            return h("i", state.actions.join());
          },
        },
      );
  };
  expect(await renderVue(createSSRApp({ setup }))).toContain("<i></i>");
  const vue = createApp({ setup });
  vue.mount(app());
  await until(() => app().innerHTML.includes("<i>extend,pause,end</i>"));
  backend.script.set("pause", [[403, "pause_not_allowed"]]);
  await seen?.run("pause");
  await until(() => seen?.error?.code === "PAUSE_NOT_ALLOWED");
  expect(seen?.pending).toBeNull();
  vue.unmount();
});
