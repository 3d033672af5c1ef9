import { expect } from "vitest";
import { inEveryEngine } from "./engines";

/** The topmost thing at the chip's middle, and at the dialog's, is ours. */
const isOnTop = () => {
  const host = document.querySelector("session-gate");
  const visible = [...(host?.shadowRoot?.querySelectorAll(".chip,dialog[open]") ?? [])];
  return (
    visible.length > 0 &&
    !!document.fullscreenElement &&
    visible.every((element) => {
      const { x, y, width, height } = element.getBoundingClientRect();
      // A modal dialog makes the rest inert, the chip too.
      if (host?.shadowRoot?.querySelector("dialog:modal") && element.matches(".chip")) return true;
      return width > 0 && document.elementFromPoint(x + width / 2, y + height / 2) === host;
    })
  );
};

inEveryEngine("the clock stays above a fullscreen element, and so does its dialog", async (given) => {
  const { page, base, gate } = given;
  await page.goto(`${base}/?seconds=400`);
  await page.until(() => document.querySelector("session-gate"));
  await page.run(() => {
    const figure = document.querySelector<HTMLElement>(".figure");
    const button = document.querySelector<HTMLElement>("#own");
    if (button) button.onclick = () => figure?.requestFullscreen();
  });
  await page.click("#own");
  await page.until(() => document.fullscreenElement?.className === "figure");
  await page.until(isOnTop);
  gate.change({ expires_at: gate.session().expires_at - 350 });
  await page.run(() => new Promise<void>((resolve) => setTimeout(resolve, 2100)));
  await page.run(() => void window.dispatchEvent(new Event("focus")));
  await page.until(() => document.querySelector("session-gate")?.shadowRoot?.querySelector("dialog:modal"));
  await page.until(isOnTop);
  expect(await page.run(() => document.fullscreenElement?.className)).toBe("figure");
  await page.run(() => document.exitFullscreen());
  await page.until(() => !document.fullscreenElement);
  await page.until(isWhole);
});

inEveryEngine(
  "above a fullscreen video, which holds no elements of ours, the dialog opens",
  async (given) => {
    const { page, base, gate } = given;
    await page.goto(`${base}/?seconds=400`);
    await page.until(() => document.querySelector("session-gate"));
    await page.run(() => {
      const video = document.createElement("video");
      document.body.append(video);
      const button = document.querySelector<HTMLElement>("#own");
      if (button) button.onclick = () => video.requestFullscreen();
    });
    await page.click("#own");
    await page.until(() => document.fullscreenElement?.localName === "video");
    // In the top layer, above the video: to be seen.
    await page.until(() => {
      const host = document.querySelector("session-gate");
      const chip = host?.shadowRoot?.querySelector(".chip");
      return host?.parentElement?.localName === "html" && host.matches(":popover-open") && chip?.clientHeight;
    });
    gate.change({ expires_at: gate.session().expires_at - 350 });
    await page.run(() => new Promise<void>((resolve) => setTimeout(resolve, 2100)));
    await page.run(() => void window.dispatchEvent(new Event("focus")));
    await page.until(() => document.querySelector("session-gate")?.shadowRoot?.querySelector("dialog:modal"));
    await page.until(isOnTop);
    // And back.
    await page.run(() => document.exitFullscreen());
    await page.until(() => !document.fullscreenElement);
    await page.until(isWhole);
  },
);

/** Nothing is fullscreen, and the dialog is where it was. */
function isWhole() {
  const host = document.querySelector("session-gate");
  return host?.parentElement?.localName === "html" && !!host.shadowRoot?.querySelector("dialog:modal");
}
