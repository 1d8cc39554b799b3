/** What the routes of schedules need to know of one and of its caller: what they may see, use and add to it. */
import { inArray } from "drizzle-orm";
import type { Context } from "hono";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Schedule } from "../contract/schedules.ts";
import type { Actor } from "../identity/actor.ts";
import type { MailLimits } from "../mail/mail-limits.ts";
import type { Postgres } from "../postgres/client.ts";
import { channels } from "../postgres/schema/delivery.ts";
import { ProblemError } from "../problem.ts";
import { findReport, nameOfReport, type ReportToRun, requireKind } from "../reports/saved-reports.ts";
import { describeSlot, lastSlots, type SlotRecord } from "../reports/schedule-slots.ts";
import { describeSchedule, readSchedule } from "../reports/schedules.ts";
import type { ScheduleRecord } from "../reports/timing.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { nameOfOthers, wasWithin } from "../tree/past-owners.ts";
import { isWithinReach, withinReach } from "./authenticate.ts";
import { strangersCounter } from "./count-strangers.ts";
import type { HttpEnv } from "./http-env.ts";
import { wholeCaller } from "./report-question.ts";

export interface SchedulesRoutesDeps {
  postgres: Postgres;
  tree: NodeTree;
  mailLimits?: Pick<MailLimits, "mayList"> | undefined;
  /** What is sent is put where the operator keeps it, too. */
  hasBucket?: boolean | undefined;
  now?: () => number;
}

export type ScheduleAccess = ReturnType<typeof scheduleAccess>;

export function scheduleAccess({ postgres: { db }, tree, mailLimits, now = Date.now }: SchedulesRoutesDeps) {
  async function wantedReport(actor: Actor, reference: string): Promise<ReportToRun> {
    const report = await findReport(db, reference);
    const isOwn = report && (report.node === undefined || isWithinReach(actor, tree, report.node));
    if (!report || !isOwn) throw new ProblemError("not_found", "there is no such report", { field: "report" });
    return report;
  }

  /** Throws `not_found` outside the caller's nodes, `forbidden` where they may not see what its report shows. */
  async function ownSchedule(
    c: Context<HttpEnv>,
    id: string,
  ): Promise<{ schedule: ScheduleRecord; report: ReportToRun | undefined }> {
    const schedule = withinReach(c.get("actor"), tree, await readSchedule(db, id), "schedule");
    const report = await findReport(db, schedule.report);
    requireKind(await wholeCaller(c), report?.kind ?? "usage", schedule.node, tree);
    return { schedule, report };
  }

  /** What an edited schedule sends: one that stays may be gone by now, another must be the caller's to send at its node. */
  async function reportOf(
    c: Context<HttpEnv>,
    {
      schedule,
      before,
      wanted,
    }: { schedule: ScheduleRecord; before: ReportToRun | undefined; wanted?: string | undefined },
  ): Promise<ReportToRun | undefined> {
    if (wanted === undefined || wanted === schedule.report) return before;
    const report = await wantedReport(c.get("actor"), wanted);
    requireKind(await wholeCaller(c), report.kind, schedule.node, tree);
    return report;
  }

  /** Throws `invalid_request` for a channel that is not the caller's to use, or does not get what concerns the node. */
  async function checkChannels(actor: Pick<Actor, "reach">, ids: readonly string[], node: NodeAddress): Promise<void> {
    const found =
      ids.length === 0
        ? []
        : await db
            .select()
            .from(channels)
            .where(inArray(channels.id, [...ids]));
    for (const [place, id] of ids.entries()) {
      const field = `channels.${place}`;
      const channel = found.find((one) => one.id === id);
      if (!channel || !isWithinReach(actor, tree, channel.node))
        throw new ProblemError("invalid_request", "there is no such channel", { field });
      if (!tree.isWithin(node, channel.node))
        throw new ProblemError(
          "invalid_request",
          `the channel of ${channel.node} does not receive messages about ${node}`,
          { field },
        );
    }
  }

  const countStrangers = strangersCounter({ postgres: { db }, tree, mailLimits });

  return {
    checkChannels,
    countStrangers,
    ownSchedule,
    reportOf,
    wantedReport,
    ...describing({ postgres: { db }, tree, now }),
  };
}

/** `describe` one schedule; `describeWith` its newest slot, where those of many were read together. */
function describing({
  postgres: { db },
  tree,
  now,
}: {
  postgres: Pick<Postgres, "db">;
  tree: NodeTree;
  now: () => number;
}) {
  async function describe(c: Context<HttpEnv>, schedule: ScheduleRecord, saved: string | null | undefined) {
    return await describeWith(c, schedule, saved, (await lastSlots(db, [schedule.id])).get(schedule.id));
  }

  async function describeWith(
    c: Context<HttpEnv>,
    schedule: ScheduleRecord,
    saved: string | null | undefined,
    newest: SlotRecord | undefined,
  ): Promise<Schedule> {
    const nowMs = now();
    const last = newest ? lastOf(newest, schedule, nowMs) : null;
    const about = { reportName: nameOfReport(schedule.report, saved), last };
    const described = await describeSchedule(db, tree, schedule, about, nowMs);
    const isKnown = wasWithin(tree, c.get("actor").reach)(schedule.node, schedule.createdAt);
    return isKnown ? described : { ...described, author: nameOfOthers };
  }

  return { describe, describeWith };
}

function lastOf(...slot: Parameters<typeof describeSlot>): NonNullable<Schedule["last"]> {
  const { state, reason, at, sent_at } = describeSlot(...slot);
  return { state, reason, at, sent_at };
}
