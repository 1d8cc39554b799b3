/** Which report, node and range are asked for, checked before anything is read. */

import type { Context } from "hono";
import { dayMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { AskedReport, ReportDocument, ReportOptions } from "../contract/reports.ts";
import type { Actor } from "../identity/actor.ts";
import { ProblemError } from "../problem.ts";
import { checkOptions, customQuestion, metersOfReport } from "../reports/custom-question.ts";
import { makeDocument } from "../reports/make-document.ts";
import { reachOf } from "../reports/reach.ts";
import { type ReportQuestion, type ReportSource, ReportTooLargeError } from "../reports/report-source.ts";
import { findReport, type ReportToRun, requireKind } from "../reports/saved-reports.ts";
import { isWithinReach, resolveNode } from "./authenticate.ts";
import type { HttpEnv } from "./http-env.ts";
import { storeFor } from "./take-turns.ts";
import { readInstant } from "./time-range.ts";

const maxRangeMs = 30 * 366 * dayMs;

/** With all that the caller may, by whichever of their roles. */
export async function wholeCaller(c: Context<HttpEnv>): Promise<Actor> {
  return (await c.get("identify")()) ?? c.get("actor");
}

/** By an id, the name of a standard one, or `custom` with options that are not saved. */
async function reportOf(
  { postgres }: ReportSource,
  { report, options }: AskedReport & { options?: ReportOptions | undefined },
): Promise<ReportToRun | undefined> {
  if (report === "custom" && options)
    return { report, name: "Custom report", kind: "custom", options, node: undefined };
  const found = await findReport(postgres.db, report);
  return found && { ...found, options: options ?? found.options };
}

/**
 * Throws `not_found` where there is no such report within the caller's nodes, `forbidden` where they may not see there what
 * it shows, `invalid_request` naming what does not fit.
 */
export async function readReportQuestion(
  c: Context<HttpEnv>,
  source: ReportSource,
  asked: AskedReport & { options?: ReportOptions | undefined },
  nowMs: number,
): Promise<ReportQuestion & { reportNode: NodeAddress | null }> {
  const { tree } = source;
  const actor = c.get("actor");
  const found = await reportOf(source, asked);
  const isOwn = found && (found.node === undefined || isWithinReach(actor, tree, found.node));
  if (!found || !isOwn) throw new ProblemError("not_found", "there is no such report", { field: "report" });
  const node = resolveNode(actor, tree, asked.node ?? found.node);
  const whole = await wholeCaller(c);
  requireKind(whole, found.kind, node, tree);
  const { from, to, tz } = asked;
  const [fromMs, toMs] = [readInstant("from", from, tz, nowMs), readInstant("to", to, tz, nowMs)];
  if (fromMs >= toMs) throw new ProblemError("invalid_request", "from must be before to", { field: "from" });
  if (toMs - fromMs > maxRangeMs)
    throw new ProblemError("invalid_request", "the range must be at most 30 years", { field: "from" });
  const reach = reachOf(tree, whole, { kind: found.kind, node, fromMs, toMs }, nowMs);
  const question = { ...found, reportNode: found.node ?? null, node, fromMs, toMs, tz, reach };
  checkOptions(found.kind, found.options);
  if (found.kind === "custom") customQuestion(source, question, nowMs);
  else metersOfReport(source, question, found.options.meters ?? []);
  return question;
}

/** Made while its reader waits, in their turn. Throws `conflict` where it would have more rows than a report may have. */
export async function documentNow(
  c: Context<HttpEnv>,
  source: ReportSource,
  question: ReportQuestion,
  nowMs: number,
): Promise<ReportDocument> {
  await c.get("question")?.becomeLarge();
  const signal = c.get("question")?.signal ?? c.req.raw.signal;
  const asked = { ...source, clickhouse: storeFor(c, source.clickhouse) };
  return await makeDocument(asked, question, { nowMs, signal }).catch((error: unknown) => {
    if (error instanceof ReportTooLargeError) throw new ProblemError("conflict", error.message);
    throw error;
  });
}
