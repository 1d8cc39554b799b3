/** What Postgres announces of alerts when a transaction commits: what is new, changed or read. Each process pushes it to its sockets. */
import { sql } from "drizzle-orm";
import { z } from "zod";
import type { Queries } from "../postgres/client.ts";

/** Postgres sends notices on it when what they name is committed: new notifications and changed alerts by id, readers by user. */
export const alertsNotices = "tidemark_alerts";
export const noticeSchema = z.object({
  notifications: z.array(z.string()).optional(),
  alerts: z.array(z.string()).optional(),
  reader: z.string().optional(),
});
export type Notice = z.infer<typeof noticeSchema>;
/** A notice holds less than 8,000 bytes. */
const idsPerNotice = 150;

export async function noticeOf(tx: Queries, kind: "notifications" | "alerts", ids: readonly string[]): Promise<void> {
  for (let start = 0; start < ids.length; start += idsPerNotice)
    await send(tx, { [kind]: ids.slice(start, start + idsPerNotice) });
}

/** They have read notifications. */
export const noticeOfReader = (tx: Queries, userId: string): Promise<void> => send(tx, { reader: userId });

async function send(tx: Queries, notice: Notice): Promise<void> {
  await tx.execute(sql`SELECT pg_notify(${alertsNotices}, ${JSON.stringify(notice)})`);
}
