/** What previews say: instants, figures, and what is refused. */
import { describe, expect, test } from "vitest";
import type { AlertsWorld } from "../../support/alerts-world.ts";

export function previewCases(worldOf: () => AlertsWorld): void {
  describe("a preview shows what a rule would have notified", () => {
    const preview = async (rule: object, from = "2026-02-01", to = "2026-03-10") => {
      const answer = await worldOf().billing.world.ask("POST", "/v1/rules/preview", {
        key: worldOf().billing.key,
        body: { rule, from, to },
      });
      expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 });
      return answer.body.would;
    };

    test("quotas: the instant of each step, naming the highest", async () => {
      const { organization, node } = await worldOf().newOrganization("100");
      await worldOf().billing.calls(
        [organization, "2026-02-03T10:00:00Z", "80"],
        [organization, "2026-02-05T10:00:00Z", "15"],
      );
      const would = await preview({ node, condition: { kind: "quota" } });
      expect(would).toMatchObject([
        { node, at: "2026-02-03T10:00:00.000Z", value: "80", limit: "100", threshold: 75, feature: "calls" },
        { node, at: "2026-02-05T10:00:00.000Z", value: "95", limit: "100", threshold: 90 },
      ]);
    });

    test("figures: each time that they went beyond the bound", async () => {
      const { organization, node } = await worldOf().newOrganization();
      const at = ["2026-02-03T10:10:00Z", "2026-02-03T10:20:00Z", "2026-02-04T10:10:00Z", "2026-02-04T10:20:00Z"];
      await worldOf().billing.send(at.map((time) => ({ type: "chat.posted", organization, time })));
      const condition = { kind: "threshold", meter: "chat_posts", window: "1h", above: "1" };
      expect(await preview({ node, condition })).toMatchObject([
        { at: "2026-02-03T10:21:00.000Z", value: "2", threshold: "1" },
        { at: "2026-02-04T10:21:00.000Z", value: "2", threshold: "1" },
      ]);
      const day = ["2026-02-03", "2026-02-04"] as const;
      expect(await preview({ node, condition: { ...condition, window: "day" } }, ...day)).toMatchObject([
        { at: "2026-02-03T10:30:00.000Z", value: "2" },
      ]);
      // What the cycle came to before the span counts, and what held before it is nothing new.
      const cycle = { node, condition: { ...condition, window: "cycle", above: "2" } };
      expect(await preview(cycle, "2026-02-04", "2026-02-05")).toMatchObject([
        { at: "2026-02-04T10:15:00.000Z", value: "3" },
      ]);
      expect(await preview(cycle, "2026-02-05", "2026-02-06")).toEqual([]);
    });

    test("figures of a rolling window that crosses a full hour", async () => {
      const { organization, node } = await worldOf().newOrganization();
      const at = ["2026-02-03T09:50:00Z", "2026-02-03T10:10:00Z"];
      await worldOf().billing.send(at.map((time) => ({ type: "chat.posted", organization, time })));
      const condition = { kind: "threshold", meter: "chat_posts", window: "1h", above: "1" };
      expect(await preview({ node, condition }, "2026-02-03", "2026-02-04")).toMatchObject([
        { at: "2026-02-03T10:11:00.000Z", value: "2" },
      ]);
    });

    test("silence: when it was too long", async () => {
      const { organization, node } = await worldOf().newOrganization();
      const at = ["2026-02-03T10:10:00Z", "2026-02-03T12:20:00Z"];
      await worldOf().billing.send(at.map((time) => ({ type: "chat.posted", organization, time })));
      const condition = { kind: "no_data", silent_minutes: 60 };
      const would = await preview({ node, condition }, "2026-02-03", "2026-02-03T13:00:00Z");
      expect(would).toMatchObject([{ at: "2026-02-03T11:10:00.000Z", value: "60" }]);
    });

    test.each([
      [{ condition: { kind: "quota" } }, "2026-01-01", "2027-03-01", "to"],
      [{ condition: { kind: "quota" } }, "2026-01-02", "2026-01-01", "from"],
      [
        { condition: { kind: "threshold", meter: "no_such", above: "1" } },
        "2026-01-01",
        "2026-01-02",
        "rule.condition.meter",
      ],
      [
        { condition: { kind: "threshold", meter: "chat_posts", window: "1m", above: "1" } },
        "2026-01-01",
        "2026-03-01",
        "to",
      ],
    ])("%j from %s to %s is refused by its field", async (rule, from, to, field) => {
      const asked = {
        key: worldOf().billing.key,
        body: { rule: { node: "organization:watched-1", ...rule }, from, to },
      };
      const answer = await worldOf().billing.world.ask("POST", "/v1/rules/preview", asked);
      expect([answer.status, answer.body.field]).toEqual([400, field]);
    });
  });
}
