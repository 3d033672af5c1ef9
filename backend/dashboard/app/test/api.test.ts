import { afterEach, expect, test, vi } from "vitest";
import { get, leave } from "../src/api";

afterEach(() => vi.unstubAllGlobals());

/** Answers every request, and returns where the page goes. */
function answered(status: number): string[] {
  const gone: string[] = [];
  vi.stubGlobal("fetch", async () => new Response("{}", { status }));
  vi.stubGlobal("location", {
    pathname: "/dashboard/",
    search: "?q=1",
    assign: (to: string) => gone.push(to),
  });
  return gone;
}

const settled = async (promise: Promise<unknown>) =>
  Promise.race([promise.then(() => "settled"), new Promise((resolve) => setTimeout(resolve, 20, "pending"))]);

test("a request without a sign-in leads to the sign-in page, and back", async () => {
  const gone = answered(401);
  expect(await settled(get("/api/v1/me"))).toBe("pending");
  expect(gone).toEqual(["/auth/?to=%2Fdashboard%2F%3Fq%3D1"]);
});

test("while the user signs out, a refused request does not replace that navigation", async () => {
  const gone = answered(401);
  leave();
  expect(await settled(get("/api/v1/me"))).toBe("pending");
  expect(gone).toEqual([]);
});
