/** What schedules say before they are made, and those that are for nobody, in the world of schedules.test.ts. */
import { expect, test } from "vitest";
import type { Answer } from "../../support/accounts.ts";
import { reseller } from "../../support/reports-world.ts";

interface ScheduleTools {
  ask(method: string, path: string, body?: unknown): Promise<Answer>;
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests are about
  create(given: object): Promise<any>;
  settleAt(nowMs: number): Promise<void>;
  slotsOf(id: string): Promise<unknown>;
  pause(id: string): Promise<Answer>;
}

export function previewsAndNobody(toolsOf: () => ScheduleTools): void {
  test("a schedule for nobody is kept, and its slots say that nobody got it", async () => {
    const { create, settleAt, slotsOf, pause } = toolsOf();
    const schedule = await create({});
    expect(schedule).toMatchObject({ recipients: [], channels: [] });
    await settleAt(Date.parse(schedule.next[0]));
    expect(await slotsOf(schedule.id)).toMatchObject([{ state: "skipped", reason: "nobody", deliveries: [] }]);
    await pause(schedule.id);
  });

  test("a preview says of a schedule what it would say once it is made", async () => {
    const { ask, create } = toolsOf();
    for (const timing of [
      { every: "day", at: "07:30", tz: "Asia/Kathmandu" },
      { every: "week", weekday: "fri" },
      { every: "month", day: 31 },
      { every: "quarter", day: 2, fiscal_start_month: 4, tz: "America/New_York" },
      { every: "cycle" },
      { every: "cycle", report: "billing" },
    ]) {
      const preview = await ask("POST", "/v1/schedules/preview", { ...timing, node: reseller });
      expect(preview.status, JSON.stringify(preview.body)).toBe(200);
      const made = await create({ ...timing, node: reseller, recipients: ["outside@example.org"] });
      expect(preview.body.in_words).toBe(made.in_words);
      expect(preview.body.next.map(({ at }: { at: string }) => at)).toEqual(made.next);
      for (const { from, to, at } of preview.body.next) {
        expect(Date.parse(from)).toBeLessThan(Date.parse(to));
        expect(Date.parse(to)).toBeLessThanOrEqual(Date.parse(at));
      }
      await ask("DELETE", `/v1/schedules/${made.id}`);
    }
    expect((await ask("POST", "/v1/schedules/preview", { every: "day" })).body.is_kept, "without a bucket").toBe(false);
    const wrong = await ask("POST", "/v1/schedules/preview", { every: "day", weekday: "fri" });
    expect(wrong).toMatchObject({ status: 400, body: { field: "weekday" } });
  });
}
