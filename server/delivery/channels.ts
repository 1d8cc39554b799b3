/** Channels: where messages go. The secrets of one are sealed, and leave the service when they are made and never again. */

import { randomBytes } from "node:crypto";
import { and, arrayContains, asc, eq, inArray, sql } from "drizzle-orm";
import { type Author, recordChange, system } from "../audit/record-change.ts";
import { type Edit, type Editable, recordedEdit } from "../audit/recorded-edit.ts";
import type { ChangeChannel, CreateChannel } from "../contract/channels.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import { dayMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { newId } from "../identity/actor.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { lockedRow } from "../postgres/locked-row.ts";
import { rules } from "../postgres/schema/alerts.ts";
import { channels, deliveries } from "../postgres/schema/delivery.ts";
import { schedules } from "../postgres/schema/schedules.ts";
import { ProblemError } from "../problem.ts";
import { checkLimit } from "../tree/check-limit.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { rowsWithin } from "../tree/rows-within.ts";
import type { Egress } from "./egress.ts";
import type { ChannelRow } from "./enqueue.ts";
import type { Vault } from "./vault.ts";

/** The plain form of `sealed`. */
export interface ChannelSecrets {
  url: string;
  /** For webhooks: the secret and the one before it, which is valid until the channel's `oldSecretUntil`. */
  signing: string[];
  /** Those before them that are still valid, the newest first. */
  former?: { secret: string; untilMs: number }[];
}

export interface ChannelsDeps {
  postgres: Postgres;
  vault: Vault;
  egress: Pick<Egress, "urlRefusal">;
}

/** How long messages are signed with the former secret too. */
const overlapMs = dayMs;
/** Each is a signature in a header of every message. */
const maxFormer = 8;
const limit = { what: "channels", table: channels, ...definitionLimits.channels };

export async function createChannel(
  { postgres, vault, egress, tree }: ChannelsDeps & { tree: Pick<NodeTree, "ancestors" | "children"> },
  wanted: CreateChannel & { node: NodeAddress },
  by: Author,
): Promise<{ row: ChannelRow; secret: string | undefined }> {
  const id = newId("chn");
  if ("url" in wanted) checkUrl(egress, wanted.url);
  const secret = wanted.kind === "webhook" ? newSigningSecret() : undefined;
  const { node, name, kind, enabled } = wanted;
  const sealed = "url" in wanted ? vault.seal(secretsOf(wanted.url, secret ? [secret] : []), id) : null;
  const row = await postgres.transaction(async (tx) => {
    await checkLimit(tx, tree, node, limit);
    const [made] = await tx
      .insert(channels)
      .values({
        id,
        node,
        name,
        kind,
        enabled,
        sealed,
        to: "to" in wanted ? wanted.to : null,
        monthlyCap: wanted.kind === "sms" ? wanted.monthly_cap : null,
      })
      .returning();
    if (!made) throw new Error("the channel was not stored");
    const after = stateOfChannel(made, vault);
    await recordChange(tx, { by, node, action: "channel.created", subject: id, after });
    return made;
  });
  return { row, secret };
}

const editable = (vault: Vault): Editable<ChannelRow> => ({
  lock: (tx, id) => lockedRow(tx, channels, id, "channel"),
  stateOf: (row) => stateOfChannel(row, vault),
});

/** Throws `invalid_request` for what a channel of its kind does not have. */
export async function changeChannel(
  { postgres, vault, egress }: ChannelsDeps,
  id: string,
  change: ChangeChannel,
  edit: Edit,
): Promise<ChannelRow> {
  return await recordedEdit(
    postgres,
    editable(vault),
    { ...edit, id, action: "channel.changed" },
    async (tx, before) => {
      checkFits(before, change);
      const { name, enabled, to, monthly_cap: monthlyCap, url } = change;
      if (url !== undefined) checkUrl(egress, url);
      const given = {
        ...(name !== undefined && { name }),
        ...(enabled !== undefined && { enabled, disabledBecause: null }),
        ...(to !== undefined && { to }),
        ...(monthlyCap !== undefined && { monthlyCap }),
        ...(url !== undefined && { sealed: vault.seal({ ...opened(before, vault), url }, id) }),
      };
      if (Object.keys(given).length === 0) return before;
      const [after = before] = await tx.update(channels).set(given).where(eq(channels.id, id)).returning();
      return after;
    },
  );
}

/** Its deliveries stay in the log; those that wait are dropped. Rules and schedules go on without it. */
export async function removeChannel({ postgres, vault }: ChannelsDeps, id: string, edit: Edit): Promise<void> {
  await recordedEdit(postgres, editable(vault), { ...edit, id, action: "channel.removed" }, async (tx) => {
    await tx.delete(channels).where(eq(channels.id, id));
    const waiting = and(eq(deliveries.channel, id), inArray(deliveries.state, ["waiting", "failed"]));
    await tx.update(deliveries).set({ state: "given_up", dueAt: null }).where(waiting);
    for (const table of [rules, schedules])
      await tx
        .update(table)
        .set({ channels: sql`array_remove(${table.channels}, ${id})` })
        .where(arrayContains(table.channels, [id]));
    return undefined;
  });
}

/** A former secret stays valid for 24 h, whatever replaces the next: until then messages carry a signature with each. */
export async function rotateSecret(
  { postgres, vault }: ChannelsDeps,
  id: string,
  { nowMs, ...edit }: Edit & { nowMs: number },
): Promise<{ row: ChannelRow; secret: string }> {
  const secret = newSigningSecret();
  const rotation = { ...edit, id, action: "channel.secret_rotated" };
  const row = await recordedEdit(postgres, editable(vault), rotation, async (tx, before) => {
    if (before.kind !== "webhook")
      throw new ProblemError("invalid_request", `a channel of ${before.kind} has no secret`, { field: "id" });
    const known = opened(before, vault);
    const [current, ...last] = known.signing;
    const untilMs = before.oldSecretUntil?.getTime() ?? 0;
    const former = [...last.map((one) => ({ secret: one, untilMs })), ...(known.former ?? [])]
      .filter((one) => one.untilMs > nowMs)
      .slice(0, maxFormer);
    const signing = current === undefined ? [secret] : [secret, current];
    const sealed = vault.seal({ ...secretsOf(known.url, signing), former }, id);
    const oldSecretUntil = new Date(nowMs + overlapMs);
    const [after = before] = await tx
      .update(channels)
      .set({ sealed, oldSecretUntil })
      .where(eq(channels.id, id))
      .returning();
    return after;
  });
  return { row, secret };
}

/** Switches a channel off whose receiver says that it is gone. */
export async function disableChannel(tx: Queries, vault: Vault, id: string, because: string): Promise<void> {
  const [before] = await tx.select().from(channels).where(eq(channels.id, id)).for("update");
  if (!before?.enabled) return;
  const off = { enabled: false, disabledBecause: because };
  await tx.update(channels).set(off).where(eq(channels.id, id));
  const change = { before: stateOfChannel(before, vault), after: stateOfChannel({ ...before, ...off }, vault) };
  await recordChange(tx, { by: system, node: before.node, action: "channel.disabled", subject: id, ...change });
}

export async function readChannel(db: Queries, id: string): Promise<ChannelRow | undefined> {
  const [found] = await db.select().from(channels).where(eq(channels.id, id));
  return found;
}

/** Those of the addresses, in lower case, that get mails of a channel of the node or of one below it. */
export async function mailedAmong(
  db: Queries,
  tree: Pick<NodeTree, "children">,
  node: NodeAddress,
  addresses: readonly string[],
): Promise<ReadonlySet<string>> {
  const listed = db
    .select({ address: sql<string>`lower(jsonb_array_elements_text(${channels.to}))`.as("address") })
    .from(channels)
    .where(and(eq(channels.kind, "email"), rowsWithin(channels.node, [node], tree)))
    .as("listed");
  const found = await db
    .selectDistinct({ address: listed.address })
    .from(listed)
    .where(inArray(listed.address, [...addresses]));
  return new Set(found.map(({ address }) => address));
}

/** All channels by name and id, those behind `after`. */
export async function listChannels(
  db: Queries,
  tree: Pick<NodeTree, "children">,
  {
    tops,
    kind,
    after,
    limit,
  }: {
    tops: readonly NodeAddress[];
    kind: ChannelRow["kind"] | undefined;
    after: [name: string, id: string] | undefined;
    limit: number;
  },
): Promise<ChannelRow[]> {
  const behind = after && sql`(${channels.name}, ${channels.id}) > (${after[0]}, ${after[1]})`;
  return await db
    .select()
    .from(channels)
    .where(and(rowsWithin(channels.node, tops, tree), kind && eq(channels.kind, kind), behind))
    .orderBy(asc(channels.name), asc(channels.id))
    .limit(limit);
}

/** What messages are signed with at an instant: ms since 1970, UTC. */
export function signingAt(
  { oldSecretUntil }: ChannelRow,
  { signing, former = [] }: ChannelSecrets,
  ms: number,
): string[] {
  const isOverlapping = oldSecretUntil !== null && oldSecretUntil.getTime() > ms;
  const valid = former.filter(({ untilMs }) => untilMs > ms).map(({ secret }) => secret);
  return [...signing.slice(0, isOverlapping ? 2 : 1), ...valid];
}

/** Throws `conflict` where they were sealed with another key. */
export function opened(row: ChannelRow, vault: Vault): ChannelSecrets {
  const secrets = row.sealed && vault.open(row.sealed, row.id);
  if (!secrets)
    throw new ProblemError(
      "conflict",
      "its secrets were encrypted with another key: set TIDEMARK_SECRET_KEY, or create the channel again",
    );
  return secrets as ChannelSecrets;
}

/** Where messages go. At many receivers, whoever has the rest of the URL can post messages. */
export const urlWithoutSecret = (url: string) => `${new URL(url).origin}/…`;

/** What an `ETag` of a channel is made of, and what the audit keeps: there the members `secret` and `secrets` are replaced. */
export function stateOfChannel(row: ChannelRow, vault: Vault): object {
  const { node, name, kind, enabled, disabledBecause, to, monthlyCap, oldSecretUntil, sealed } = row;
  const secrets = sealed && (vault.open(sealed, row.id) as ChannelSecrets | undefined);
  return {
    node,
    name,
    kind,
    enabled,
    disabledBecause,
    to,
    monthlyCap,
    oldSecretUntil,
    ...(secrets && { url: urlWithoutSecret(secrets.url), secret: secrets.url, secrets: secrets.signing }),
  };
}

const secretsOf = (url: string, signing: string[]): ChannelSecrets => ({ url, signing });

/** 256 random bits, as Standard Webhooks asks for. */
const newSigningSecret = () => `whsec_${randomBytes(32).toString("base64")}`;

function checkUrl(egress: Pick<Egress, "urlRefusal">, url: string): void {
  const refusal = egress.urlRefusal(url);
  if (refusal !== undefined) throw new ProblemError("invalid_request", refusal, { field: "url" });
}

function checkFits({ kind }: ChannelRow, { to, url, monthly_cap }: ChangeChannel): void {
  const refuse = (field: string, detail: string) => {
    throw new ProblemError("invalid_request", detail, { field });
  };
  if (url !== undefined && kind !== "webhook" && kind !== "slack") refuse("url", `a channel of ${kind} has no URL`);
  if (monthly_cap !== undefined && kind !== "sms") refuse("monthly_cap", `a channel of ${kind} has no monthly limit`);
  if (to === undefined) return;
  if (kind !== "email" && kind !== "sms") refuse("to", `a channel of ${kind} has no addresses`);
  const isNumbers = to.every((one) => one.startsWith("+") && !one.includes("@"));
  if (isNumbers !== (kind === "sms"))
    refuse("to", kind === "sms" ? "must be phone numbers in E.164 form" : "must be email addresses");
}
