/** What edits of rules, and of what else alerts have, may change, in the world of contract.test.ts. */
import { expect, test } from "vitest";
import { type AlertsWorld, hourMs } from "../../support/alerts-world.ts";
import { above, postChats } from "./usage-of-alerts.ts";

export function editedRules(worldOf: () => AlertsWorld): void {
  test("a rule that is told later whose place it takes takes it from then on, and gives it back", async () => {
    const world = worldOf();
    const { organization, node } = await world.newOrganization();
    const template = await world.newRule({ node: "all", scope: "organizations", condition: above("1") });
    const own = await world.newRule({ node, condition: above("1") });
    const firing = async () =>
      (await world.alertsOf(node)).flatMap(({ rule, state }) => (state === "firing" ? [rule] : [])).sort();
    await postChats(world, organization, 2, "2026-03-10T11:30:00Z");
    await world.evaluate();
    expect(await firing()).toEqual([template, own].sort());
    const edit = (body: object) => world.ask("PATCH", `/v1/rules/${own}`, body);
    expect(await edit({ replaces: template })).toMatchObject({ status: 200, body: { replaces: template } });
    await world.evaluate(world.nowMs + hourMs / 12);
    expect(await firing()).toEqual([own]);
    expect(await edit({ replaces: own })).toMatchObject({ status: 400, body: { field: "replaces" } });
    expect(await edit({ replaces: null })).toMatchObject({ status: 200, body: { replaces: null } });
    await world.evaluate(world.nowMs + hourMs / 6);
    expect(await firing()).toEqual([template, own].sort());
  });

  test("a rule, a channel, a report and a schedule can be sent back whole as they were read, and what stays is refused by name where it differs", async () => {
    const world = worldOf();
    const { node } = await world.newOrganization();
    const made = async (path: string, body: object) => {
      const answer = await world.ask("POST", path, { node, name: "Sent back", ...body });
      expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 201 });
      return `${path}/${answer.body.id}`;
    };
    const template = await world.newRule({ node: "all", scope: "organizations", condition: above("9") });
    const [rule, channel, report] = [
      await made("/v1/rules", { replaces: template, condition: above("2") }),
      await made("/v1/channels", { kind: "email", to: ["ops@example.com"] }),
      await made("/v1/reports", { kind: "usage", options: {} }),
    ];
    const [schedule, other] = [
      await made("/v1/schedules", { name: undefined, report: "usage", every: "day", formats: ["csv"] }),
      (await world.billing.get(report)).id,
    ];
    const stays = [
      [rule, "is_default", true],
      [channel, "kind", "webhook"],
      [report, "kind", "activity"],
      [schedule, "paused", true],
    ] as const;
    for (const [path, field, value] of stays) {
      const whole = await world.billing.get(path);
      expect(await world.ask("PATCH", path, whole), path).toMatchObject({ status: 200, body: whole });
      for (const [name, wrong] of [
        [field, value],
        ["node", "all"],
        ["id", "other"],
      ] as const)
        expect(await world.ask("PATCH", path, { ...whole, [name]: wrong })).toMatchObject({
          status: 400,
          body: { code: "invalid_request", field: name },
        });
      expect(await world.ask("PATCH", path, { nothing: 1 })).toMatchObject({
        status: 400,
        body: { field: "nothing" },
      });
    }
    const changed = await world.ask("PATCH", schedule, { ...(await world.billing.get(schedule)), report: other });
    expect(changed).toMatchObject({ status: 200, body: { report: other, report_name: "Sent back" } });
    expect(await world.ask("PATCH", schedule, { report: "rpt_none" })).toMatchObject({
      status: 404,
      body: { field: "report" },
    });
  });
}
