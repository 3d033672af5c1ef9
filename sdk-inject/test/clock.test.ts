import { expect, test } from "vitest";
import { createServerClock } from "../src/clock";
import { FakeClock } from "./fake";

const DAY = 86_400_000;

test("the offset makes up for a browser clock that is a day off", async () => {
  for (const wrong of [-DAY, 0, DAY]) {
    const clock = new FakeClock();
    const server = createServerClock(clock);
    const sent = server.read();
    await clock.advance(40);
    server.sample(clock.wall - 20 + wrong, sent);
    expect(server.now()).toBe(clock.wall + wrong);
  }
});

test("the sample with the least round trip is kept", async () => {
  const clock = new FakeClock();
  const server = createServerClock(clock);
  const ask = async (roundTrip: number, error: number) => {
    const sent = server.read();
    await clock.advance(roundTrip);
    server.sample(clock.wall - roundTrip / 2 + error, sent);
    return server.now() - clock.wall;
  };
  expect(await ask(400, 150)).toBe(150);
  expect(await ask(20, 5)).toBe(5);
  // Within its own uncertainty this one says nothing against the better one.
  expect(await ask(400, -150)).toBe(5);
});

test("a sample that contradicts the kept one replaces it", async () => {
  const clock = new FakeClock();
  const server = createServerClock(clock);
  server.sample(clock.wall, server.read());
  clock.wall += DAY; // someone set the clock
  expect(server.jumped()).toBe(true);
  const sent = server.read();
  await clock.advance(100);
  server.sample(clock.wall - 50 - DAY, sent);
  expect(server.now()).toBe(clock.wall - DAY);
  expect(server.jumped()).toBe(false);
});

test("a clock set while the answer was under way spoils that sample only", async () => {
  const clock = new FakeClock();
  const server = createServerClock(clock);
  const sent = server.read();
  clock.wall += DAY;
  server.sample(clock.wall, sent);
  expect(server.now()).toBe(clock.wall);
  expect(server.jumped()).toBe(true);
});

test("sleep counts as a jump, ordinary time does not", async () => {
  const clock = new FakeClock();
  const server = createServerClock(clock);
  await clock.advance(3_600_000);
  expect(server.jumped()).toBe(false);
  clock.sleep(5_000);
  expect(server.jumped()).toBe(true);
});
