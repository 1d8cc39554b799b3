/** A message that shows that a channel works, in the shape of those that it will carry. */
import { eq } from "drizzle-orm";
import type { Alert } from "../contract/alerts.ts";
import type { Postgres } from "../postgres/client.ts";
import { channels } from "../postgres/schema/delivery.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { type ChannelRow, writeDeliveries } from "./enqueue.ts";
import { recentTests } from "./read-deliveries.ts";

/** What it sends reaches people who may not have asked for it. */
const testsPerMinute = 10;

/**
 * Writes one `channel.test` for each address of the channel, due now, and gives their ids. `checkSeen` throws where the channel is
 * not what the caller saw.
 */
export async function testChannel(
  { postgres, tree, publicUrl }: { postgres: Postgres; tree: Pick<NodeTree, "ancestors">; publicUrl: string },
  id: string,
  checkSeen: (channel: ChannelRow) => void = () => undefined,
): Promise<string[]> {
  return await postgres.transaction(async (tx) => {
    const [channel] = await tx.select().from(channels).where(eq(channels.id, id)).for("update");
    if (!channel) throw new ProblemError("not_found", "there is no such channel");
    checkSeen(channel);
    if (!channel.enabled)
      throw new ProblemError("conflict", "the channel is disabled; enable it first", { field: "id" });
    if ((await recentTests(tx, id)) >= testsPerMinute)
      throw new ProblemError("too_fast", `a channel can be tested at most ${testsPerMinute} times a minute`, {
        retryAfterSeconds: 60,
      });
    const ids = await writeDeliveries(tx, tree, [channel], {
      type: "channel.test",
      aboutNode: channel.node,
      alert: null,
      message: testMessage(channel, publicUrl, new Date()),
    });
    if (ids.length === 0)
      throw new ProblemError("conflict", "all of its recipients have unsubscribed", { field: "id" });
    return ids;
  });
}

function testMessage({ id, name, node }: ChannelRow, publicUrl: string, at: Date) {
  const url = `${publicUrl}/channels/${id}`;
  const explanation = `This is a test of the channel “${name}”. Alerts about ${node} and everything below it can reach you here.`;
  const now = at.toISOString();
  // Receivers that were written by the schema of alerts take it; `channel` says which one is tested.
  const data: Alert & { channel: string } = {
    id: "alr_test",
    rule: "rule_test",
    rule_name: "Test",
    kind: "quota",
    node,
    severity: "info",
    state: "firing",
    feature: null,
    meter: null,
    threshold: null,
    passed: [],
    value: null,
    limit: null,
    percent: null,
    period: { start: now, end: now },
    at: now,
    fired_at: now,
    resolved_at: null,
    acknowledged: null,
    snoozed_until: null,
    explanation,
    watermark: now,
    url,
    channel: id,
  };
  return { subject: `Test of the channel “${name}”`, lines: [explanation], url, button: "View channel", data };
}
