/** Schedules of reports, and what became of each time. */
import { system } from "../../../server/audit/record-change.ts";
import { newId } from "../../../server/identity/actor.ts";
import { scheduleSlots } from "../../../server/postgres/schema/schedules.ts";
import { createSchedule } from "../../../server/reports/schedules.ts";
import { inside, type World } from "../../support/isolation-world.ts";
import { listWith, type RouteCase } from "./route-case.ts";

/** One that never comes due while the test runs, with a slot behind it. */
async function scheduleInside({ deps: { postgres, tree } }: World): Promise<string> {
  const { id } = await createSchedule(
    postgres,
    tree,
    {
      report: "usage",
      node: inside,
      every: "month",
      at: "08:00",
      tz: "UTC",
      weekday: null,
      day: 1,
      fiscal_start_month: null,
      formats: ["csv"],
      recipients: ["outside@example.org"],
      channels: [],
      subject: null,
      when_missed: "catch_up",
      when_empty: "send",
    },
    system,
    Date.now(),
  );
  const period = {
    fromAt: new Date("2026-01-01"),
    toAt: new Date("2026-02-01"),
    dueAt: new Date("2026-02-01T08:00:00Z"),
  };
  await postgres.db
    .insert(scheduleSlots)
    .values({ id: newId("slt"), schedule: id, ...period, tz: "UTC", state: "skipped", reason: "empty" });
  return id;
}

const scheduled = {
  report: "usage",
  node: inside,
  every: "month",
  formats: ["csv"],
  recipients: ["outside@example.org"],
};
const on = (suffix = "", body?: unknown) => ({
  request: async (world: World) => ({
    path: `/v1/schedules/${await scheduleInside(world)}${suffix}`,
    ...(body !== undefined && { body }),
  }),
});

export const scheduleCases: readonly RouteCase[] = [
  {
    route: "POST /v1/schedules/preview",
    needs: "read",
    request: () => ({ body: { node: inside, every: "cycle" } }),
    allowed: 200,
    elsewhere: 403,
  },
  listWith("GET /v1/schedules", "read", scheduleInside),
  {
    route: "POST /v1/schedules",
    needs: "reports:write",
    request: () => ({ body: scheduled }),
    allowed: 201,
    elsewhere: 403,
  },
  { route: "GET /v1/schedules/{id}", needs: "read", ...on(), allowed: 200, elsewhere: 404 },
  {
    route: "PATCH /v1/schedules/{id}",
    needs: "reports:write",
    ...on("", { at: "09:00" }),
    allowed: 200,
    elsewhere: 404,
  },
  { route: "DELETE /v1/schedules/{id}", needs: "reports:write", ...on(), allowed: 204, elsewhere: 404 },
  { route: "POST /v1/schedules/{id}/pause", needs: "reports:write", ...on("/pause"), allowed: 200, elsewhere: 404 },
  { route: "POST /v1/schedules/{id}/resume", needs: "reports:write", ...on("/resume"), allowed: 200, elsewhere: 404 },
  { route: "POST /v1/schedules/{id}/test", needs: "reports:write", ...on("/test"), allowed: 202, elsewhere: 404 },
  { route: "GET /v1/schedules/{id}/slots", needs: "read", ...on("/slots"), allowed: 200, elsewhere: 404 },
];
