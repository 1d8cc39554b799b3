/**
 * Reads the figures of a report with the functions that the routes answer with, so a figure in a report is the figure of the
 * API. A report depends on its node, never on who asks: it has what someone with the report's rights at that very node sees,
 * and so everybody who stood above it all the time. Whoever did not sees what is of their own time (`reach`).
 */

import { type AuditPage, readAudit } from "../audit/read-audit.ts";
import { cyclesShownIn, readCycleSpans } from "../billing/cycle-spans.ts";
import { visibleLevels } from "../billing/price-visibility.ts";
import { describeStatement, listStatements } from "../billing/statements/read-statements.ts";
import { dimensionsOf, meterByName, overviewMeters } from "../catalog/catalog.ts";
import type { Meter } from "../catalog/meter.ts";
import type { Action } from "../contract/accounts.ts";
import type { AuditEntryAnswer } from "../contract/audit.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { defaultMeter } from "../contract/organizations.ts";
import type { ReportSection } from "../contract/reports.ts";
import type { StatementDetail } from "../contract/statements.ts";
import type { MeterUsage, WindowKind } from "../contract/usage.ts";
import type { Actor } from "../identity/actor.ts";
import { describeEntry } from "../lists/audit-entry.ts";
import { checkOwnerFilters, ownerGroupsNamed } from "../lists/former-owners.ts";
import { answerComparedUsage } from "../metrics/compare-usage.ts";
import { comparedInSlices, pairingOf, parseCompared } from "../metrics/comparison.ts";
import { answerUsage, totalsBy, type UsageQuestion } from "../metrics/usage.ts";
import type { CycleSpan } from "../metrics/windows.ts";
import { describeOrganization, organizationFacts } from "../overview/organization-facts.ts";
import { ranked, type Totals } from "../overview/ranks.ts";
import { readAdoption } from "../overview/read-adoption.ts";
import { readRevenue } from "../overview/read-revenue.ts";
import { activitySections } from "./build/activity.ts";
import { auditSections } from "./build/audit.ts";
import { customSections } from "./build/custom.ts";
import { billingSections, financialSections, type StatementsAnswers } from "./build/money.ts";
import { organizationsSections } from "./build/organizations.ts";
import { usageSections } from "./build/usage.ts";
import { customQuestion, metersOfReport } from "./custom-question.ts";
import { maxReportRows, type ReportQuestion, type ReportSource, ReportTooLargeError } from "./report-source.ts";

export interface AskedReport {
  meters: readonly Meter[];
  sections: ReportSection[];
}

interface Asking {
  source: ReportSource;
  question: ReportQuestion;
  nowMs: number;
  watermark: Date;
  signal: AbortSignal;
}

interface Asked extends Asking {
  /** When the node's billing cycles began. */
  cycles: readonly CycleSpan[];
}

const usualRanks = 10;
const maxGroups = 1_000;
const activityMeters = [
  "documents",
  "transcribed_minutes",
  "user_signups",
  "feature_uses",
  "api_calls",
  "active_users",
];

const askers: Readonly<Record<ReportQuestion["kind"], (asking: Asked) => Promise<AskedReport>>> = {
  usage: askUsage,
  activity: askActivity,
  organizations: askOrganizations,
  billing: async (asking) => ({ meters: [], sections: billingSections(await askStatements(asking)) }),
  financial: async (asking) => ({ meters: [], sections: financialSections(await askStatements(asking)) }),
  audit: askAudit,
  custom: askCustom,
};

/** Throws ReportTooLargeError, a ProblemError where the options fit the node no longer, and the reason of `signal`. */
export async function askReport(asking: Asking): Promise<AskedReport> {
  const { source, question } = asking;
  const spans = await readCycleSpans(source.postgres.db, source.tree, question.node);
  const asked = await askers[question.kind]({ ...asking, cycles: cyclesShownIn(spans, question.tz) });
  asking.signal.throwIfAborted();
  if (asked.sections.reduce((sum, { rows }) => sum + rows.length, 0) > maxReportRows) throw tooLarge();
  return asked;
}

const tooLarge = () =>
  new ReportTooLargeError(`it would have more than ${maxReportRows} rows; choose a shorter range or a smaller node`);

/** A reader with rights at this very node, and no others. */
function readerAt(node: NodeAddress, actions: readonly Action[]): Pick<Actor, "grants"> {
  return { grants: [{ node, actions: new Set(actions) }] };
}

function plainQuestion(
  { question: { node, fromMs, toMs, tz }, cycles }: Asked,
  meters: readonly Meter[],
  window: WindowKind,
): UsageQuestion {
  return { meters, node, fromMs, toMs, window, anchor: 1, cycles, tz, fill: "zero", filters: [], groupBy: undefined };
}

async function compared({ source, watermark, nowMs }: Asking, question: UsageQuestion, beside: string) {
  const range = { with: parseCompared(beside, question.tz, nowMs), match: "date", partial: "same" } as const;
  return await answerComparedUsage(
    source.clickhouse,
    question,
    await comparedInSlices(pairingOf(question, range, nowMs)),
    watermark,
    nowMs,
  );
}

async function askUsage(asking: Asked): Promise<AskedReport> {
  const { source, question, nowMs, watermark } = asking;
  const { options, node, fromMs, toMs, tz } = question;
  const meters = metersOfReport(source, question, options.meters ?? overviewMeters);
  const [meter] = meters as [Meter];
  const before = options.compare ?? "previous";
  const whole = plainQuestion(asking, meters, "total");
  const span = { node, fromMs, toMs: Math.min(toMs, nowMs) };
  const { shift, endMs: beforeToMs } = pairingOf(
    { fromMs, toMs, window: "total", anchor: 1, cycles: asking.cycles, tz },
    { with: parseCompared(before, tz, nowMs), match: "date", partial: "same" },
    nowMs,
  );
  const rank = async (dimension: string, title: string, nameOf: (key: string) => string) => {
    if (!dimensionsOf(meter).has(dimension)) return [];
    const [now, then]: Totals[] = await Promise.all([
      totalsBy(source.clickhouse, meter, dimension, span),
      totalsBy(source.clickhouse, meter, dimension, { node, fromMs: shift.fromMs, toMs: beforeToMs }),
    ]);
    const rows = ranked(now as Totals, then as Totals, options.limit ?? usualRanks);
    return [{ dimension, title, rows: rows.map((row) => ({ ...row, name: nameOf(row.key) })) }];
  };
  const [previous, year, days, months, ...ranks] = await Promise.all([
    compared(asking, whole, before),
    compared(asking, whole, "year"),
    compared(asking, plainQuestion(asking, [meter], "day"), before),
    answerUsage(source.clickhouse, plainQuestion(asking, [meter], "month"), watermark, nowMs),
    rank("organization", "Top organizations", organizationName(source)),
    rank("user", "Most active users", (key) => key),
    rank("language", "Most used languages", (key) => key),
    rank("model", "Most used models", (key) => key),
  ]);
  return { meters, sections: usageSections({ meters, previous, year, days, months, ranks: ranks.flat() }) };
}

const organizationName =
  ({ tree }: ReportSource) =>
  (id: string) =>
    tree.get(nodeAddress("organization", id))?.name ?? id;

async function askActivity(asking: Asked): Promise<AskedReport> {
  const { source, question, nowMs, watermark } = asking;
  const { node, fromMs, toMs, tz } = question;
  const meters = metersOfReport(source, question, activityMeters);
  const organizations = source.tree.list([node], { kind: "organization", limit: Number.POSITIVE_INFINITY });
  const split = async (name: string, dimension: string, title: string, nameOf = (key: string) => key) => {
    const meter = meterByName(name);
    if (!meter || !dimensionsOf(meter).has(dimension)) return [];
    const asked = { ...plainQuestion(asking, [meter], "total"), groupBy: { dimension, limit: maxGroups } };
    const answer = await answerUsage(source.clickhouse, asked, watermark, nowMs);
    return [{ id: `${name}_by_${dimension}`, title, meter, usage: answer.meters[0] as MeterUsage, nameOf }];
  };
  const [whole, days, adoption, ...splits] = await Promise.all([
    compared(asking, plainQuestion(asking, meters, "total"), "previous"),
    answerUsage(source.clickhouse, plainQuestion(asking, meters, "day"), watermark, nowMs),
    readAdoption(source.clickhouse, node, { fromMs, toMs: Math.min(toMs, nowMs) }, organizations.length, tz),
    split("documents", "organization", "New transcriptions by organization", organizationName(source)),
    split("documents", "kind", "New transcriptions by kind"),
    split("user_signups", "organization", "Sign-ups by organization", organizationName(source)),
    split("feature_uses", "feature", "Feature usage"),
    split("api_calls", "organization", "API calls by organization", organizationName(source)),
  ]);
  return { meters, sections: activitySections({ meters, whole, days, splits: splits.flat(), adoption }) };
}

async function askOrganizations({ source, question, nowMs }: Asking): Promise<AskedReport> {
  const { tree, figures, clickhouse } = source;
  const { node, fromMs, toMs } = question;
  const [meter] = metersOfReport(source, question, [defaultMeter]) as [Meter];
  const state = await figures.accounts();
  const [standings, usage] = await Promise.all([
    figures.standings(node, state, nowMs, true, { isWhole: true }),
    totalsBy(clickhouse, meter, "organization", { node, fromMs, toMs: Math.min(toMs, nowMs) }),
  ]);
  const facts = organizationFacts(state, standings, usage, meter, nowMs);
  const records = tree.list([node], { kind: "organization", limit: Number.POSITIVE_INFINITY });
  if (records.length > maxReportRows) throw tooLarge();
  const isSeen = (one: NodeAddress) => tree.isWithin(one, node);
  const organizations = records.map((record) => describeOrganization(record, facts, isSeen));
  organizations.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.node < b.node ? -1 : 1));
  return { meters: [meter], sections: organizationsSections({ meter, organizations }) };
}

const statementsPage = 500;

async function askStatements({ source, question, nowMs, signal }: Asking): Promise<StatementsAnswers> {
  const { tree, figures, postgres } = source;
  const { node, fromMs, toMs, reach = [node] } = question;
  const reader = readerAt(node, ["read", "prices:read"]);
  const filter = {
    reach,
    node,
    kind: undefined,
    status: undefined,
    cycleMs: undefined,
    fromMs,
    toMs,
  };
  const statements: StatementDetail[] = [];
  for (let after: { toMs: number; id: string } | undefined; ; ) {
    signal.throwIfAborted();
    const rows = await listStatements(postgres.db, { ...filter, after, limit: statementsPage });
    for (const row of rows) statements.push(await describeStatement(postgres.db, tree, reader, row));
    if (statements.length > maxReportRows) throw tooLarge();
    const last = rows.at(-1);
    if (!last || rows.length < statementsPage) break;
    after = { toMs: last.partTo.getTime(), id: last.id };
  }
  const isRunning = fromMs <= nowMs && nowMs < toMs;
  const state = await figures.accounts();
  const standings = isRunning
    ? (await figures.standings(node, state, nowMs, true, { isWhole: true })).answer
    : new Map();
  const isOrganization = node.startsWith("organization:");
  const below = [...standings.values()].filter(
    (one) => tree.isWithin(one.node, node) && (isOrganization || one.node !== node),
  );
  const levels = visibleLevels(reader, node, tree);
  const isSeenOnRecord = (path: readonly NodeAddress[]) =>
    path.includes(node) && path.some((one) => reach.includes(one));
  const onFailure = (_: NodeAddress, error: unknown) => {
    throw error;
  };
  return {
    statements,
    running: isRunning ? await readRevenue(source, state, below, levels, { nowMs, isSeenOnRecord, onFailure }) : null,
    nameOf: (one) => tree.get(one)?.name ?? one,
    isWithin: (one) => tree.isWithin(one, node),
  };
}

const auditPage = 1_000;
/** Bounds the snapshots before and after all changes, since a report is held whole while it is made. */
const maxAuditCharacters = 32 * 1024 * 1024;

async function askAudit({ source, question, signal }: Asking): Promise<AskedReport> {
  const { tree, postgres } = source;
  const { node, fromMs, toMs, reach = [node] } = question;
  const about = node === "all" ? undefined : node;
  const reader = { actor: readerAt(node, ["audit:read"]), isWithin: (one: NodeAddress) => tree.isWithin(one, node) };
  const entries: AuditEntryAnswer[] = [];
  let characters = 0;
  for (let before: number | null | undefined; before !== null; ) {
    signal.throwIfAborted();
    const page: AuditPage = await readAudit(postgres, { reach, node: about, fromMs, toMs, before, limit: auditPage });
    for (const entry of page.entries) {
      characters += (entry.before?.length ?? 0) + (entry.after?.length ?? 0);
      entries.push(describeEntry(entry, reader));
    }
    if (entries.length > maxReportRows) throw tooLarge();
    if (characters > maxAuditCharacters)
      throw new ReportTooLargeError(
        "there are too many changes in this range; choose a shorter range or a smaller node",
      );
    before = page.next;
  }
  return { meters: [], sections: auditSections(entries) };
}

async function askCustom(asking: Asked): Promise<AskedReport> {
  const { source, question, nowMs, watermark, cycles } = asking;
  const { asked, pairing } = customQuestion(source, question, nowMs, cycles);
  // Whoever reads at the node sees it: of who stood above it, those that do now are named.
  const { node } = question;
  const reader = { reach: /^(?:all$|partner:)/.test(node) ? [node] : [] };
  checkOwnerFilters(source.tree, reader, node, asked.filters);
  const beside = pairing && (await comparedInSlices(pairing));
  const usage = beside
    ? await answerComparedUsage(source.clickhouse, asked, beside, watermark, nowMs)
    : await answerUsage(source.clickhouse, asked, watermark, nowMs);
  const { meters } = asked;
  const groupBy = asked.groupBy?.dimension;
  const nameOf = groupBy === "organization" ? organizationName(source) : undefined;
  const named = ownerGroupsNamed(source.tree, reader, { node, dimension: groupBy });
  const shown = usage.meters.map((one) => (one.groups ? { ...one, groups: named(one.groups) } : one));
  return { meters, sections: customSections({ meters, usage: { ...usage, meters: shown }, groupBy, nameOf }) };
}
