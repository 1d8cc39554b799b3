/** Previews across trials, cycles of a node's own, levels that fall again, and what held before the span. */
import { eq } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import type { ConditionInput } from "../../../server/contract/rules.ts";
import { subscriptions } from "../../../server/postgres/schema/plans.ts";
import type { AlertsWorld } from "../../support/alerts-world.ts";

export function previewSpans(worldOf: () => AlertsWorld): void {
  async function preview(node: string, condition: ConditionInput, from = "2026-02-01", to = "2026-03-01") {
    const answer = await worldOf().ask("POST", "/v1/rules/preview", { rule: { node, condition }, from, to });
    expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 });
    return answer.body.would.map((one: { at: string; threshold: unknown; value: string; limit: string }) => [
      one.at.slice(5, 16),
      one.threshold,
      one.value,
      one.limit,
    ]);
  }

  const feature = (meter: string, included: string) => ({ key: "limited", meter, included, overage: "notify" });

  async function subscribed(features: object[], when: object) {
    const world = worldOf();
    const { organization, node } = await world.newOrganization();
    const plan = await world.billing.plan("all", { currency: "EUR", features });
    const subscription = await world.billing.subscribe(node, plan, { anchor: 1, tz: "UTC", ...when });
    return { organization, node, subscription };
  }

  describe("a preview of limits follows each span that counts by itself", () => {
    test("a trial within one cycle, and what is paid for after it", async () => {
      const { organization, node } = await subscribed([feature("call_minutes", "100")], {
        starts_at: "2026-02-01T00:00:00Z",
        trial_ends_at: "2026-02-15T00:00:00Z",
      });
      await worldOf().billing.calls(
        [organization, "2026-02-05T00:00:00Z", "80"],
        [organization, "2026-02-20T00:00:00Z", "45"],
      );
      // Half of the cycle is paid for.
      expect(await preview(node, { kind: "quota" })).toEqual([
        ["02-05T00:00", 75, "80", "100"],
        ["02-20T00:00", 90, "45", "50"],
      ]);
    });

    test("a change of plan leaves what its first plan reported, and reports nothing twice", async () => {
      const world = worldOf();
      const { organization, node, subscription } = await subscribed([feature("call_minutes", "100")], {
        starts_at: "2026-02-01T00:00:00Z",
      });
      const larger = await world.billing.plan("all", { currency: "EUR", features: [feature("call_minutes", "300")] });
      await world.billing.changePlan(subscription, larger, "2026-02-15T00:00:00Z");
      await world.billing.calls(
        [organization, "2026-02-05T00:00:00Z", "90"],
        [organization, "2026-02-16T00:00:00Z", "70"],
        [organization, "2026-02-17T00:00:00Z", "40"],
      );
      expect(await preview(node, { kind: "quota" })).toEqual([
        ["02-05T00:00", 90, "90", "100"],
        ["02-17T00:00", 100, "200", "200"],
      ]);
    });

    test("a level that fell again was reached all the same, each threshold once as the rule itself says it", async () => {
      const world = worldOf();
      const { organization, node } = await subscribed([feature("recording_storage", "100")], {
        starts_at: "2026-02-01T00:00:00Z",
      });
      const changes = [
        ["stored", "02-03", "95"],
        ["deleted", "02-05", "80"],
        ["stored", "02-10", "85"],
        ["deleted", "02-12", "90"],
        ["stored", "02-14", "82"],
        ["deleted", "02-16", "82"],
      ] as const;
      const timeOf = (day: string) => `2026-${day}T00:00:00.000Z`;
      await world.billing.send(
        changes.map(([what, day, value]) => ({ type: `recording.${what}`, organization, time: timeOf(day), value })),
      );
      const expected = [
        ["02-03T00:00", 90, "95", "100"],
        ["02-10T00:00", 100, "100", "100"],
      ];
      expect(await preview(node, { kind: "quota" })).toEqual(expected);
      expect(await preview(node, { kind: "quota" }, "2026-02-11")).toEqual([]);
      const rule = await world.newRule({ node, condition: { kind: "quota" } });
      for (const [, day] of changes) await world.evaluate(Date.parse(timeOf(day)) + 1);
      const firing = (await world.notificationsOf(node, rule)).filter((one) => one.startsWith("alert.firing"));
      expect(firing.sort()).toEqual(["alert.firing 100", "alert.firing 90"]);
    });

    test("participants who left again had reached the limit", async () => {
      const { organization, node } = await subscribed([feature("live_participants", "4")], {
        starts_at: "2026-02-01T00:00:00Z",
      });
      const times = ["00", "00", "10", "10"].map((minute) => `2026-02-03T10:${minute}:00Z`);
      await worldOf().billing.send(
        times.flatMap((time, place) => {
          const one = { organization, session: "s", user: `u${place}` };
          return [
            { ...one, type: "participant.joined", time },
            { ...one, type: "participant.left", time: "2026-02-03T10:30:00Z" },
          ];
        }),
      );
      expect(await preview(node, { kind: "quota" })).toEqual([
        ["02-03T10:00", 50, "2", "4"],
        ["02-03T10:10", 100, "4", "4"],
      ]);
    });
  });

  describe("a preview of figures invents nothing at its beginning", () => {
    test("what has to hold for some time and did so before was sent before", async () => {
      const world = worldOf();
      const { organization, node } = await world.newOrganization();
      const posts = Array.from({ length: 9 }, (_, place) => Date.parse("2026-02-03T08:00:00Z") + place * 30 * 60_000);
      await world.billing.send(
        posts.map((ms) => ({ type: "chat.posted", organization, time: new Date(ms).toISOString() })),
      );
      const condition = { kind: "threshold", meter: "chat_posts", above: "1", for_minutes: 30 } as const;
      const until = "2026-02-03T14:00:00Z";
      expect(await preview(node, condition, "2026-02-03T10:00:00Z", until)).toEqual([]);
      const began = [["02-03T09:01", "1", "2", "1"]];
      expect(await preview(node, condition, "2026-02-03T08:45:00Z", until)).toEqual(began);
      expect(await preview(node, condition, "2026-02-03T06:00:00Z", until)).toEqual(began);
    });

    test("also where the figure does not follow from parts of its window", async () => {
      const { organization, node } = await worldOf().newOrganization();
      const one = { organization, session: "s", user: "u" };
      await worldOf().billing.send([
        { ...one, type: "participant.joined", time: "2026-02-03T08:00:00Z" },
        { ...one, type: "participant.left", time: "2026-02-03T14:00:00Z" },
      ]);
      const condition = { kind: "threshold", meter: "active_participants", above: "0" } as const;
      const until = "2026-02-03T12:00:00Z";
      for (const [window, from] of [
        ["1h", "2026-02-03T10:00:00Z"],
        ["day", "2026-02-03T10:00:00Z"],
      ] as const)
        expect(await preview(node, { ...condition, window }, from, until), window).toEqual([]);
      expect(await preview(node, condition, "2026-02-03T07:00:00Z", until)).toHaveLength(1);
    });
  });

  test("a figure of a cycle is that of the node's own cycles, which begin and end with its subscriptions", async () => {
    const world = worldOf();
    const { billing } = world;
    const { organization, node, subscription } = await subscribed([], { starts_at: "2026-02-10T00:00:00Z" });
    await billing.source.postgres.db
      .update(subscriptions)
      .set({ cancelledAt: new Date("2026-02-20T10:07:03.123Z") })
      .where(eq(subscriptions.id, subscription));
    const times = ["05T00:00:00", "05T00:00:01", "12T00:00:00", "20T10:06:00", "20T10:08:00", "20T10:09:00"];
    await billing.send(times.map((time) => ({ type: "chat.posted", organization, time: `2026-02-${time}Z` })));
    const windows = await billing.get(
      `/v1/usage?meter=chat_posts&node=${node}&from=2026-02-01&to=2026-03-01&window=cycle`,
    );
    const series = windows.meters[0].series.map((one: { start: string; value: number }) => [one.start, one.value]);
    expect(series).toEqual([
      ["2026-02-01T00:00:00Z", 2],
      ["2026-02-10T00:00:00Z", 2],
      ["2026-02-20T10:07:03.123Z", 2],
    ]);
    const condition = { kind: "threshold", meter: "chat_posts", window: "cycle", above: "1" } as const;
    expect(await preview(node, condition)).toEqual([
      ["02-05T00:15", "1", "2", "1"],
      ["02-20T10:15", "1", "2", "1"],
    ]);
    const rule = await world.newRule({ node, condition });
    const states: unknown[] = [];
    for (const time of ["12T00:00:01", "20T10:06:01", "20T10:07:04", "20T10:08:01", "20T10:09:01"]) {
      await world.evaluate(`2026-02-${time}Z`);
      states.push((await world.alertsOf(node, rule)).map(({ state, value }) => `${state} ${value}`));
    }
    expect(states).toEqual([[], ["firing 2"], ["resolved 0"], ["resolved 0"], ["firing 2", "resolved 0"]]);
  });
}
