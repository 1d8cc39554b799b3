import { afterAll, beforeAll, expect, test } from "vitest";
import { type AbusedService, startAbusedService } from "../../support/abused-service.ts";
import { harmOf } from "../../support/bystander.ts";

let world: AbusedService;
beforeAll(async () => {
  world = await startAbusedService();
});
afterAll(() => world?.stop());

test("a bystander is answered while somebody else asks what everybody may ask", async () => {
  const harm = await harmOf(world.bystander, async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => world.ask("/v1/usage?meter=chat_posts")));
    return answers.map(({ status }) => status);
  });
  expect(harm.result).toEqual([200, 200, 200, 200, 200]);
  expect([...harm.statuses.keys()]).toEqual([200]);
  expect(harm.ratio).toBeGreaterThan(0);
});
