import { expect, test, vi } from "vitest";
import { GateError } from "../../src/errors";
import { type HiddenPauseEffects, pauseWhenHidden } from "../../src/package/hidden-pause";
import { createStore } from "../../src/store";
import type { Channel } from "../../src/tabs";
import { FakeClock, settle } from "../fake";

/** A session that several tabs show, whose time a test moves. */
function createTabs() {
  const clock = new FakeClock();
  const stored = new Map<string, string>();
  const storage = {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, value: string) => void stored.set(name, value),
  } as Storage;
  const session = { phase: "active", version: 1 };
  const channels = new Set<Channel>();
  const asked: string[] = [];
  const listeners = new Set<() => void>();

  const change = async (phase: string) => {
    await settle();
    if (session.phase === phase) throw new GateError("illegal_transition", {}, 409);
    asked.push(phase);
    Object.assign(session, { phase, version: session.version + 1 });
    for (const listener of [...listeners]) listener();
  };

  function open(visible = true) {
    const page = {
      visible,
      errors: [] as unknown[],
      on: {} as Parameters<HiddenPauseEffects["listen"]>[0],
      stop: () => {},
    };
    page.stop = pauseWhenHidden({
      id: "s-1",
      phase: () => session.phase,
      version: () => session.version,
      pause: () => change("paused"),
      resume: () => change("active"),
      subscribe(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      isVisible: () => page.visible,
      listen(on) {
        page.on = on;
        return () => {};
      },
      clock,
      store: createStore(() => storage),
      channel() {
        const own: Channel = {
          onmessage: null,
          postMessage(message) {
            for (const other of channels)
              if (other !== own) other.onmessage?.({ data: message } as MessageEvent);
          },
          close: () => void channels.delete(own),
        };
        channels.add(own);
        return own;
      },
      onError: (error) => page.errors.push(error),
    });
    return {
      page,
      see(visible: boolean) {
        page.visible = visible;
        page.on.visibility();
        return settle();
      },
    };
  }
  return { clock, session, asked, channels, open, change };
}

test("a page that is left counts as neither hidden nor visible, and again when it comes back", async () => {
  const tabs = createTabs();
  const { page, see } = tabs.open();
  page.on.leave();
  await see(false);
  await tabs.clock.advance(10_000);
  expect([tabs.asked, tabs.channels.size]).toEqual([[], 0]);
  // From the back/forward cache.
  page.visible = true;
  page.on.comeBack();
  await see(false);
  await tabs.clock.advance(1_000);
  await settle();
  expect(tabs.asked).toEqual(["paused"]);
});

test("a tab opened in the background pauses, unless another one is visible", async () => {
  const alone = createTabs();
  alone.open(false);
  await alone.clock.advance(1_000);
  await settle();
  expect(alone.asked).toEqual(["paused"]);
  const beside = createTabs();
  beside.open(true);
  beside.open(false);
  await beside.clock.advance(10_000);
  expect(beside.asked).toEqual([]);
});

test("when the last visible tab is hidden, the session pauses once, and whichever tab is seen resumes it once", async () => {
  const tabs = createTabs();
  const [a, b, c] = [tabs.open(), tabs.open(), tabs.open()];
  await a.see(false);
  await b.see(false);
  await tabs.clock.advance(2_000);
  expect(tabs.asked).toEqual([]);
  await c.see(false);
  await tabs.clock.advance(1_000);
  await settle();
  expect(tabs.asked).toEqual(["paused"]);
  await Promise.all([b.see(true), c.see(true)]);
  await settle();
  expect(tabs.asked).toEqual(["paused", "active"]);
  for (const { page } of [a, b, c]) expect(page.errors).toEqual([]);
});

test("a tab seen while another one's pause is under way resumes after it", async () => {
  const tabs = createTabs();
  const [a, b] = [tabs.open(false), tabs.open(false)];
  void tabs.clock.advance(1_000);
  await b.see(true);
  for (let i = 0; i < 5; i++) await settle();
  expect(tabs.session.phase).toBe("active");
  expect([...a.page.errors, ...b.page.errors]).toEqual([]);
});

test("a pause that somebody else made since is not ended", async () => {
  const tabs = createTabs();
  const { see } = tabs.open();
  await see(false);
  await tabs.clock.advance(1_000);
  await settle();
  await tabs.change("active");
  await tabs.change("paused");
  await see(true);
  await settle();
  expect(tabs.session.phase).toBe("paused");
});

test("messages of other sessions, and of scripts that are not ours, change nothing", async () => {
  const tabs = createTabs();
  const { see } = tabs.open();
  await see(false);
  for (const message of [null, "visible", 7, {}, { id: "s-2", news: "visible" }, { id: "s-1" }])
    for (const channel of tabs.channels) channel.onmessage?.({ data: message } as MessageEvent);
  await tabs.clock.advance(1_000);
  await settle();
  expect(tabs.asked).toEqual(["paused"]);
});

test("stopped, it asks for nothing and holds no channel", async () => {
  const tabs = createTabs();
  const { page, see } = tabs.open();
  const wrong = vi.fn();
  await see(false);
  page.stop();
  await tabs.clock.advance(10_000).catch(wrong);
  expect([tabs.asked, tabs.channels.size, wrong.mock.calls.length]).toEqual([[], 0, 0]);
});
