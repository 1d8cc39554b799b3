/** A preview beside the rule itself: evaluated live over a history that was made up, at the instants of a clock that is set. */
import { describe, expect, test } from "vitest";
import type { ConditionInput } from "../../../server/contract/rules.ts";
import { type AlertsWorld, dayMs, hourMs } from "../../support/alerts-world.ts";

const quarterMs = 15 * 60_000;

interface Notified {
  at: string;
  value: string | null;
  limit: string | null;
  threshold: unknown;
}

export function previews(worldOf: () => AlertsWorld): void {
  /** When the rule fires, evaluated at each instant, with its figures as they are then. */
  async function notifiedLive(
    rule: { node: string; condition: ConditionInput },
    instants: readonly number[],
    before: (atMs: number) => Promise<unknown> = async () => undefined,
  ): Promise<Notified[]> {
    const world = worldOf();
    const id = await world.newRule(rule);
    const notified = new Map<string, Notified>();
    for (const atMs of [...new Set(instants)].sort((a, b) => a - b)) {
      await before(atMs);
      await world.evaluate(atMs);
      for (const one of await world.alertsOf(rule.node, id)) {
        const { at, value, limit, threshold } = one;
        if (!notified.has(one.id)) notified.set(one.id, { at, value, limit, threshold });
      }
    }
    return [...notified.values()].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  }

  async function previewed(rule: object, from: string, to: string) {
    const answer = await worldOf().ask("POST", "/v1/rules/preview", { rule, from, to });
    expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200, body: { is_complete: true } });
    const would = answer.body.would as (Notified & { explanation: string })[];
    return {
      notified: would.map(({ at, value, limit, threshold }): Notified => ({ at, value, limit, threshold })),
      explained: would.map(({ explanation }) => explanation),
    };
  }

  /** The instants themselves, and a quarter of an hour before each. */
  const around = (notified: readonly Notified[]) =>
    notified.flatMap(({ at }) => [Date.parse(at) - quarterMs, Date.parse(at)]);

  describe("a preview says what the rule would have said, when and of what", () => {
    test("what was projected is not kept: it is refused by name", async () => {
      const { node } = await worldOf().newOrganization("100");
      const rule = { node, condition: { kind: "quota", thresholds: [100], on: "projected" } };
      const asked = { rule, from: "2026-03-01", to: "2026-03-10" };
      expect(await worldOf().ask("POST", "/v1/rules/preview", asked)).toMatchObject({
        status: 400,
        body: { field: "rule.condition.on" },
      });
    });

    test("little use of a plan, in a trial, in what is paid for of a cycle and in whole ones", async () => {
      const world = worldOf();
      const { organization, node, plan } = await world.newOrganization("1000");
      const other = await world.newOrganization();
      const trial = { starts_at: "2026-02-10T00:00:00Z", trial_ends_at: "2026-02-24T00:00:00Z", anchor: 1, tz: "UTC" };
      await world.billing.subscribe(other.node, plan, trial);
      await world.billing.calls([organization, "2026-02-01T11:00:00Z", "900"]);
      const condition = { kind: "low_usage", feature: "calls", below_percent: 20, after_days: 3 } as const;
      const [from, to] = ["2026-02-05T00:00:00Z", "2026-04-06T12:00:00Z"];
      const expected = [
        [node, ["2026-03-04T00:00:00.000Z", "2026-04-04T00:00:00.000Z"]],
        [other.node, ["2026-02-13", "2026-02-27", "2026-03-04", "2026-04-04"].map((date) => `${date}T00:00:00.000Z`)],
      ] as const;
      for (const [of, instants] of expected) {
        const { notified } = await previewed({ node: of, condition }, from, to);
        expect(notified.map(({ at }) => at)).toEqual(instants);
        expect(await notifiedLive({ node: of, condition }, around(notified))).toEqual(notified);
      }
    });

    test("little use beside the past, which may begin in the middle of a cycle", async () => {
      const world = worldOf();
      const { organization, node } = await world.newOrganization("1000");
      await world.billing.calls(
        ...["01-03T11:00:00", "02-03T11:00:00"].map((time): [string, string, string] => [
          organization,
          `2026-${time}Z`,
          "100",
        ]),
        [organization, "2026-01-20T09:00:00Z", "300"],
        [organization, "2026-02-20T10:20:00Z", "300"],
        [organization, "2026-03-02T12:00:00Z", "80"],
      );
      const condition = {
        kind: "low_usage",
        meter: "call_minutes",
        below_percent: 50,
        of: "past",
        after_days: 5,
      } as const;
      const [from, to] = ["2026-03-01T00:00:00Z", "2026-04-10T00:00:00Z"];
      const { notified } = await previewed({ node, condition }, from, to);
      expect(notified).toMatchObject([
        { at: "2026-03-20T10:30:00.000Z", value: "80", limit: "400" },
        { at: "2026-04-06T00:00:00.000Z", value: "0" },
      ]);
      expect(await notifiedLive({ node, condition }, around(notified))).toEqual(notified);
    });

    test("an hour unlike its season, at whichever quarter it ends", async () => {
      const world = worldOf();
      const { organization, node } = await world.newOrganization();
      const spikeMs = Date.parse("2026-03-10T11:20:00Z");
      const events = [];
      for (let week = 0; week < 6; week++)
        for (let place = 0; place < 12; place++)
          events.push(spikeMs - week * 7 * dayMs - hourMs + place * quarterMs + 1);
      for (let place = 0; place < 90; place++) events.push(spikeMs + place * 40_000);
      const posted = events.map((ms) => ({ type: "chat.posted", organization, time: new Date(ms).toISOString() }));
      await world.billing.send(posted);
      const condition = { kind: "unusual", meter: "chat_posts", at_least: "20" } as const;
      const { notified, explained } = await previewed({ node, condition }, "2026-03-10", "2026-03-11");
      expect(notified).toMatchObject([{ at: "2026-03-10T12:00:00.000Z", value: "64" }]);
      expect(explained[0]).toMatch(/^Chat posts in the hour to 10 Mar 2026, 12:00 UTC: 64, .* times the usual/);
      const quarters = ["11:45", "12:00", "12:15"].map((clock) => Date.parse(`2026-03-10T${clock}:00Z`));
      expect(await notifiedLive({ node, condition }, quarters)).toEqual(notified);
    });

    test("silence of an organization, and of one key while another sends, by when events were received", async () => {
      const world = worldOf();
      const { makeKey, deps } = world.billing.world;
      const { organization, node } = await world.newOrganization();
      const seed = await world.newOrganization();
      await world.billing.send([{ type: "chat.posted", organization: seed.organization }]);
      const startMs = Date.parse("2026-03-10T08:00:00Z");
      const [first, second] = [await makeKey(["ingest"], node), await makeKey(["ingest"], node)];
      const steady = Array.from({ length: 16 }, (_, place) => [first.id, 20 * place, 0] as const);
      const sent = [
        ...steady,
        ...steady.slice(0, 10).map(([, minute]) => [second.id, minute + 5, 0] as const),
        // What comes hours late fills no silence.
        ...[420, 440, 460].map((minute) => [first.id, minute, 90] as const),
      ];
      let receivedMs = startMs - 1;
      const receive = async (atMs: number) => {
        for (const [key, minute, late] of sent) {
          const ms = startMs + minute * 60_000;
          if (ms <= receivedMs || ms > atMs) continue;
          const time = ms - late * 60_000;
          await deps.clickhouse.command(
            `INSERT INTO usage_events SELECT * REPLACE ({organization:String} AS organization, {key:String} AS key,
               fromUnixTimestamp64Milli({ms:Int64}, 'UTC') AS received_at, fromUnixTimestamp64Milli({time:Int64}, 'UTC') AS time,
               {id:String} AS id) FROM usage_events WHERE usage_events.organization = {seed:String}`,
            { organization, key, ms, time, id: `${key} ${minute}`, seed: seed.organization },
          );
        }
        receivedMs = atMs;
      };
      const condition = { kind: "no_data", silent_minutes: 60 } as const;
      const at = (minute: number) => new Date(startMs + minute * 60_000).toISOString();
      const instants = [244, 245, 359, 360, 420, 480].map((minute) => startMs + minute * 60_000);
      const live = await notifiedLive({ node, condition }, instants, receive);
      expect(live).toMatchObject([
        { at: at(245), value: "60" },
        { at: at(360), value: "60" },
      ]);
      const { notified, explained } = await previewed({ node, condition }, at(0), at(481));
      expect(notified).toEqual(live);
      expect(explained.map((line) => line.split(" arrived on")[0])).toEqual([
        "The last event sent with the key A key",
        "The last event",
      ]);
    });
  });
}
