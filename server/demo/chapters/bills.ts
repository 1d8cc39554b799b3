/** How bills are paid: in time, late, once given back, and by one customer not at all, who was suspended for it. */
import { dayMs } from "../../contract/durations.ts";
import { nodeAddress } from "../../contract/node-address.ts";
import type { ChangeNode, NodeDetail } from "../../contract/nodes.ts";
import type { PaymentStatus } from "../../contract/payment-status.ts";
import type { Statement, StatementDetail, StatementList } from "../../contract/statements.ts";
import { seededRandom } from "../../programs/random.ts";
import { cancelledOrganization, demoResellers, suspendedOrganization } from "../demo-accounts.ts";
import type { Chapter, Stage } from "../stage.ts";

/** Paid its first bill late, after the card was declined. */
export const latePayer = "delta-realty";
/** Was charged for a month in which it could hardly meet, and got that money back. */
export const refunded = "stonebridge-choir";

/** Statements are closed once a minute, on a slow machine some at a time: statements that are missing by then are paid later. */
const closedWithinMs = 10 * 60_000;
/** Bills are paid by then, except those of the last days. */
const usualTermDays = 12;

interface Payment {
  status: PaymentStatus;
  /** Days after the end of what is paid for. */
  afterDays: number;
  reason?: string;
  reference?: string;
}

/** What became of a statement, in order. `place`: 0 for the payer's first one. */
function paymentsOf(statement: Statement, place: number, isLast: boolean): Payment[] {
  const { node, id } = statement;
  const afterDays = 2 + Math.floor(seededRandom("payment", node, statement.to)() * (usualTermDays - 2));
  const paid: Payment = { status: "paid", afterDays, reference: `TRANSFER-${id.slice(-8).toUpperCase()}` };
  if (node === nodeAddress("organization", latePayer) && place === 0)
    return [
      { status: "failed", afterDays: 14, reason: "The card was declined" },
      { ...paid, afterDays: 33, reason: "Paid by bank transfer, 19 days late" },
    ];
  if (node === nodeAddress("organization", suspendedOrganization) && isLast)
    return [{ status: "failed", afterDays: 1, reason: "The card has expired; three reminders were not answered" }];
  if (node === nodeAddress("organization", refunded) && place === 0)
    return [paid, { status: "refunded", afterDays: 20, reason: "Goodwill, after the outage of that month" }];
  return [paid];
}

/** Records the payments of what is still open and was due by now; told again, it goes on with what was closed since. */
export async function keepBooks({ api, signal }: Pick<Stage, "api" | "signal">, nowMs: number): Promise<void> {
  const { statements } = await api.get<StatementList>("/v1/statements?limit=1000");
  const payers = new Map<string, Statement[]>();
  for (const one of statements.toReversed()) payers.set(one.node, [...(payers.get(one.node) ?? []), one]);
  for (const ofPayer of payers.values())
    for (const [place, statement] of ofPayer.entries()) {
      if (statement.payment.status !== "open" || signal.aborted) continue;
      for (const { afterDays, ...payment } of paymentsOf(statement, place, place === ofPayer.length - 1)) {
        const atMs = Date.parse(statement.to) + afterDays * dayMs;
        if (atMs > nowMs) break;
        const body = { ...payment, at: new Date(atMs).toISOString() };
        await api.post<StatementDetail>(`/v1/statements/${statement.id}/payment`, body);
      }
    }
}

/** Until what all of a reseller's customers owe for a month is summed up for each reseller, which is closed last. */
async function untilClosed(stage: Stage): Promise<void> {
  await stage.waitFor(async () => {
    const { statements } = await stage.api.get<StatementList>("/v1/statements?kind=summary&limit=1000");
    const summed = new Set(statements.map(({ node }) => node));
    return demoResellers.every(({ id }) => summed.has(nodeAddress("reseller", id))) || undefined;
  }, closedWithinMs);
}

async function changeStatus({ api }: Stage, organization: string, status: "suspended" | "cancelled"): Promise<void> {
  const path = `/v1/nodes/${encodeURIComponent(nodeAddress("organization", organization))}`;
  if ((await api.get<NodeDetail>(path)).status !== "active") return;
  const change: ChangeNode = { status };
  await api.patch<NodeDetail>(path, change);
}

export const bills: Chapter = {
  title: "bills, most of them paid; one late, one refunded, and one customer suspended who did not pay",
  async tell(stage) {
    await untilClosed(stage);
    await keepBooks(stage, Date.now());
    await changeStatus(stage, suspendedOrganization, "suspended");
    await changeStatus(stage, cancelledOrganization, "cancelled");
  },
};
