/** The demonstration in small: what its story must hold, and that a second start adds nothing to it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AlertList } from "../../server/contract/alerts.ts";
import { dayMs } from "../../server/contract/durations.ts";
import type { NodeList } from "../../server/contract/nodes.ts";
import type { Period } from "../../server/contract/quotas.ts";
import type { SlotList } from "../../server/contract/schedules.ts";
import type { StatementDetail, StatementList } from "../../server/contract/statements.ts";
import type { SubscriptionList } from "../../server/contract/subscriptions.ts";
import type { UsageAnswer } from "../../server/contract/usage.ts";
import type { UserList } from "../../server/contract/users.ts";
import { refunded } from "../../server/demo/chapters/bills.ts";
import { nearOrganization, overOrganization } from "../../server/demo/chapters/limits.ts";
import { faultySender, installersTest, lateOrganization, wrongUnit } from "../../server/demo/chapters/mistakes.ts";
import { partnerOwner, resellerAdmin } from "../../server/demo/chapters/people.ts";
import {
  cancelledOrganization,
  demoMoves,
  oldOrganizations,
  suspendedOrganization,
} from "../../server/demo/demo-accounts.ts";
import { ApiCaller } from "../../server/programs/api-caller.ts";
import { eventually, startService, type TestService } from "../support/service.ts";

let service: TestService;
let api: ApiCaller;
/** A minute and a half on a machine that has nothing else to do. */
const toldWithinMs = 15 * 60_000;
function isTold(): true | undefined {
  if (service.output().includes("had to stop")) throw new Error(service.output());
  return service.output().includes("Demo: live") || undefined;
}
beforeAll(async () => {
  service = await startService({ TIDEMARK_DEMO_SIZE: "0.01" }, [], ["--demo"]);
  api = new ApiCaller(service.url, { authorization: `Bearer ${service.rootKey}` });
  await eventually("the story to be told", isTold, toldWithinMs);
}, toldWithinMs);
afterAll(() => service?.stop());

const of = (organization: string) => encodeURIComponent(`organization:${organization}`);
const list = async <T>(path: string, name: string) => (await api.get<Record<string, T[]>>(path))[name] ?? [];

const daysAgo = (days: number) => new Date(Date.now() - days * dayMs).toISOString();

/** Totals by meter. */
async function figures(
  meters: string,
  { from = daysAgo(91), to = "now", node = "all" } = {},
): Promise<Record<string, number>> {
  const search = new URLSearchParams({ meter: meters, node, from, to, window: "total" });
  const answer = await api.get<UsageAnswer>(`/v1/usage?${search}`);
  return Object.fromEntries(answer.meters.map(({ meter, total }) => [meter, Number(total)]));
}

describe("the story of the demonstration", () => {
  test("has every kind of usage, of meetings and of agents, with custom models and meters of its own", async () => {
    const meters = [
      "participation_minutes",
      "recorded_minutes",
      "captions_minutes",
      "whiteboard_minutes",
      "breakout_minutes",
      "broadcast_minutes",
      "consumed_minutes",
      "chat_posts",
      "qa_posts",
      "transcribed_minutes",
      "recording_storage",
      "feature_uses",
      "user_signups",
      "api_calls",
      "call_minutes",
      "chat_sessions",
      "emails",
      "sip_trunks",
      "realtime_captions",
      "length_per_minute",
    ];
    for (let at = 0; at < meters.length; at += 5)
      for (const [meter, total] of Object.entries(await figures(meters.slice(at, at + 5).join())))
        expect([meter, total > 0]).toEqual([meter, true]);
    const groups = async (meter: string, by: string) => {
      const answer = await api.get<UsageAnswer>(`/v1/usage?meter=${meter}&window=total&group_by=${by}&limit=20`);
      return answer.meters[0]?.groups?.map(({ key }) => key) ?? [];
    };
    expect(await groups("feature_uses", "feature")).toEqual(
      expect.arrayContaining(["translation", "glossary", "custom_model"]),
    );
    expect((await groups("consumed_minutes", "medium")).length).toBeGreaterThan(1);
    expect(await groups("call_minutes", "agent")).toContain("reception");
    const models = await list<{ tier: string; name: string }>("/v1/models", "models");
    expect(models.filter(({ tier }) => tier === "custom").length).toBeGreaterThan(1);
  });

  test("has a partner, moves between resellers, and organizations old, new, on trial, suspended and gone", async () => {
    const { nodes } = await api.get<NodeList>("/v1/nodes?limit=1000");
    expect(nodes.filter(({ kind }) => kind === "partner")).toHaveLength(1);
    const status = (id: string) => nodes.find(({ node }) => node === `organization:${id}`)?.status;
    expect([suspendedOrganization, cancelledOrganization].map(status)).toEqual(["suspended", "cancelled"]);
    expect(nodes.filter((one) => one.status === "trial")).toHaveLength(2);
    for (const { organization, to } of demoMoves) {
      expect(nodes.find(({ id }) => id === organization)?.parent).toBe(`reseller:${to}`);
      const statements = await list<{ parent: string }>(`/v1/statements?node=${of(organization)}`, "statements");
      expect(new Set(statements.map(({ parent }) => parent)).size, organization).toBeGreaterThan(1);
    }
    const { subscriptions } = await api.get<SubscriptionList>("/v1/subscriptions?limit=1000");
    const statuses = new Set(subscriptions.map((one) => one.status));
    expect(statuses).toEqual(new Set(["active", "trial", "expired"]));
    expect(subscriptions.filter(({ history }) => history.length > 1)).toHaveLength(2);
    expect(subscriptions.filter(({ renews, status }) => !renews && status === "active")).toHaveLength(1);
    for (const id of oldOrganizations) {
      const then = { from: daysAgo(400), to: daysAgo(100), node: `organization:${id}` };
      expect([id, (await figures("documents", then)).documents ?? 0]).not.toEqual([id, 0]);
    }
  });

  test("has bills paid, open, paid late, refunded and failed", async () => {
    const { statements } = await api.get<StatementList>("/v1/statements?limit=1000");
    expect(new Set(statements.map(({ payment }) => payment.status))).toEqual(
      new Set(["paid", "open", "refunded", "failed"]),
    );
    expect(statements.find(({ payment }) => payment.status === "refunded")?.node).toBe(`organization:${refunded}`);
    const details = await Promise.all(
      statements
        .filter(({ node }) => node === "organization:delta-realty")
        .map(({ id }) => api.get<StatementDetail>(`/v1/statements/${id}`)),
    );
    expect(details.some(({ payments }) => payments.map(({ status }) => status).join() === "paid,failed")).toBe(true);
  });

  test("has a voided and an amended event, and events that were not taken", async () => {
    const history = async ({ organization, id }: { organization: string; id: string }) =>
      await api.get<{ event: { value: string } | null; corrections: object[] }>(
        `/v1/events/${id}?organization=${organization}`,
      );
    expect((await history(wrongUnit)).event?.value).toBe("88");
    expect(await history(installersTest)).toMatchObject({ event: null, corrections: [{ action: "void" }] });
    const codes = await list<{ code: string }>(`/v1/quarantine?node=${of(faultySender)}`, "events");
    expect(codes.map(({ code }) => code).sort()).toEqual(["invalid_field", "unknown_field"]);
  });

  test("has people of each role, of several organizations, invited and disabled, who can sign in", async () => {
    const { users } = await api.get<UserList>("/v1/users?limit=1000");
    expect(new Set(users.flatMap(({ roles }) => roles.map(({ role }) => role)))).toEqual(
      new Set(["owner", "admin", "manager", "finance", "viewer"]),
    );
    expect(new Set(users.map(({ status }) => status))).toEqual(new Set(["active", "invited", "disabled"]));
    expect(users.some(({ roles }) => new Set(roles.map(({ node }) => node)).size > 2)).toBe(true);
    const owner = await api.signIn(partnerOwner, service.adminPassword);
    expect(await owner.get("/v1/me")).toMatchObject({ name: partnerOwner, node: "partner:meridian" });
    const keys = await list<{ name: string; revoked_at: string | null }>("/v1/keys", "keys");
    expect(keys.some(({ revoked_at }) => revoked_at !== null)).toBe(true);
  });

  test("has one organization near its limit and one over it, alerts that fire, one acknowledged and one snoozed", async () => {
    const status = async (organization: string) => {
      const { quotas } = await api.get<Period>(`/v1/period?node=${of(organization)}`);
      return quotas.find(({ feature }) => feature === "transcribed_minutes")?.status;
    };
    expect([await status(nearOrganization), await status(overOrganization)]).toEqual(["high", "over"]);
    const { alerts } = await api.get<AlertList>("/v1/alerts?limit=1000");
    expect(alerts.some(({ state }) => state === "firing")).toBe(true);
    expect(alerts.filter(({ acknowledged }) => acknowledged?.by === resellerAdmin)).toHaveLength(1);
    expect(alerts.filter(({ snoozed_until }) => snoozed_until !== null)).toHaveLength(1);
  });

  test("has schedules with runs, notes beside the figures, saved views and dashboards", async () => {
    const schedules = await list<{ id: string }>("/v1/schedules", "schedules");
    expect(schedules.length).toBeGreaterThan(2);
    await eventually("the reports of the weeks before", async () => {
      const slots = await Promise.all(schedules.map(({ id }) => api.get<SlotList>(`/v1/schedules/${id}/slots`)));
      return slots.every((one) => one.slots.some(({ state }) => state === "sent")) || undefined;
    });
    expect((await list("/v1/annotations", "annotations")).length).toBeGreaterThan(1);
    const kestrel = await list<{ author: string }>("/v1/annotations?node=reseller:kestrel", "annotations");
    expect(kestrel.map(({ author }) => author)).toEqual(["sam.osei@kestrel.example"]);
    const views = await list<{ panels: object[] | null }>("/v1/views", "views");
    expect(views.some(({ panels }) => panels !== null && panels.length > 3)).toBe(true);
  });
});

/** Everything that administrators make, by what stays the same when it is made once. */
async function made(): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of ["nodes", "plans", "subscriptions", "users", "keys", "models", "rules", "channels", "schedules"])
    counts[name] = (await list(`/v1/${name}${name === "models" ? "" : "?limit=1000"}`, name)).length;
  counts.views = (await list("/v1/views", "views")).length;
  counts.annotations = (await list("/v1/annotations", "annotations")).length;
  counts.runs = (await list("/v1/report-runs?report=organizations", "runs")).length;
  counts.quarantine = (await list("/v1/quarantine?status=all", "events")).length;
  return counts;
}

test(
  "a second start of the demonstration adds nothing but what happened since",
  async () => {
    const past = { from: daysAgo(500), to: daysAgo(1 / 24) };
    const read = async () => [await made(), await figures("documents,sessions,chat_posts,participation_minutes", past)];
    const before = await read();
    await service.stopServer();
    await service.startServer();
    await eventually("the story to be told again", isTold, toldWithinMs);
    expect(await read()).toEqual(before);
  },
  toldWithinMs,
);

/** Later, because statements are looked at once a minute. */
test(
  "what came late to a closed bill of the demonstration is charged",
  async () => {
    await eventually(
      "the late events to be charged",
      async () => {
        const { statements: its } = await api.get<StatementList>(`/v1/statements?node=${of(lateOrganization)}`);
        return its.some(({ total, adjusted_total }) => adjusted_total !== total) || undefined;
      },
      toldWithinMs,
    );
  },
  toldWithinMs,
);
