/** Events of intervals that name nobody. */
import { expect, test } from "vitest";
import { posting } from "../../../support/posting.ts";

const world = posting(Date.UTC(2026, 10, 21, 9));
const { event, post } = world;

test.each([
  "captions.enabled",
  "recording.started",
  "whiteboard.opened",
  "breakout.closed",
  "broadcast.alive",
  "call.started",
])("%s needs nobody beside its session", async (type) => {
  expect(await post(event({ type, session: "s" }))).toMatchObject({ accepted: 1, rejected: [], warnings: [] });
  expect(await world.accepting.loggedEvents()).toMatchObject([{ session: "s", user: "", interval: "" }]);
});
