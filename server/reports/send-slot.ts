/**
 * The message of a slot whose report is made, written in one transaction with the slot's end: there is no mail without its slot
 * being over, and no slot over without its mail. Whoever may not see the report when it is sent gets nothing.
 */

import { inArray } from "drizzle-orm";
import { weekMs } from "../contract/durations.ts";
import type { Branding } from "../contract/nodes.ts";
import { cellText } from "../contract/report-paper.ts";
import type { ReportDocument } from "../contract/reports.ts";
import {
  type ChannelRow,
  enqueueMail,
  enqueuePut,
  keepAttachments,
  type MailMessage,
  writeDeliveries,
} from "../delivery/enqueue.ts";
import { formatInstant } from "../metrics/windows.ts";
import type { Queries } from "../postgres/client.ts";
import {
  channels as channelRows,
  type DeliveryMessage,
  deliveries as deliveryRows,
} from "../postgres/schema/delivery.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { reportSettingsAt } from "../tree/report-settings.ts";
import { chartOfMail } from "./build/chart-of-mail.ts";
import { isEmptyDocument, keyFigures } from "./build/key-figures.ts";
import { entitledTo } from "./entitled.ts";
import type { FileLinks } from "./file-link.ts";
import { fileName } from "./file-name.ts";
import { logoOf } from "./logo.ts";
import { periodInWords } from "./period-in-words.ts";
import { folderOf } from "./put-report.ts";
import { readable } from "./render/readable.ts";
import { mediaTypes } from "./render/render-format.ts";
import { type FileRecord, listFiles, readDocument, readFile } from "./run-files.ts";
import type { RunRecord } from "./runs.ts";
import { isLateAt, moveSlot, type OpenSlot, type SlotRecord } from "./schedule-slots.ts";

export interface Sending {
  tree: Pick<NodeTree, "isWithin" | "effectiveStatus" | "ancestors" | "pathsBetween">;
  links: FileLinks;
  /** Where people reach the dashboard, without a slash at its end. */
  publicUrl: string;
  /** Every report that a schedule sends is put where the operator keeps them, too. */
  hasBucket?: boolean;
}

/** Mail servers often refuse more than 10 MB, of which a third is lost to base64. */
const maxAttachedBytes = 7 * 1024 * 1024;
/** For how long a mail's links to files work: whoever has the mail has the files. */
const linkedMs = weekMs;

/** `slot` is locked by this transaction, and its run is done. */
export async function sendSlot(
  tx: Queries,
  { tree, links, publicUrl, hasBucket }: Sending,
  { slot, schedule }: OpenSlot,
  run: RunRecord,
  nowMs: number,
): Promise<void> {
  const document = await readDocument(tx, run.id);
  if (!document) return await moveSlot(tx, slot.id, { state: "failed", reason: "run_failed" });
  const isTest = slot.test !== "";
  const isEmpty = isEmptyDocument(document);
  if (isEmpty && schedule.whenEmpty === "skip" && !isTest)
    return await moveSlot(tx, slot.id, { state: "skipped", reason: "empty" });

  const { addresses, channels, withheld, author } = await receiversOf(tx, tree, { slot, schedule }, run, nowMs);
  const files = await listFiles(tx, [run.id]);
  const linked = await linkedFiles(links, publicUrl, run, files, nowMs);
  const isAttached = files.reduce((sum, { bytes }) => sum + bytes, 0) <= maxAttachedBytes;
  const isLate = isLateAt({ slot, schedule }, nowMs);
  const chart = isEmpty ? undefined : chartOfMail(document);
  const texts = {
    subject: `${isTest ? "Test: " : ""}${schedule.subject ?? subjectOf(document, slot)}`,
    lines: linesOf(document, slot, { isEmpty, isLate, linked: isAttached ? [] : linked }),
    ...(!isEmpty && { figures: keyFigures(document) }),
    ...(chart && { chart }),
    url: `${publicUrl}/reports?run=${encodeURIComponent(run.id)}`,
    button: "View report",
  };
  const { branding } = await reportSettingsAt(tx, tree, schedule.node);
  const isForSomebody = addresses.length + channels.length > 0;
  const attachments = [
    ...(isAttached && isForSomebody ? await attachedFiles(tx, run, files) : []),
    ...(branding?.logo === undefined ? [] : [logoAttachment(branding.logo)]),
  ];
  const brand = branding && brandOfMail(branding);
  const once = `report ${slot.id}`;
  const mailed = await enqueueMail(tx, tree, {
    type: "report",
    node: schedule.node,
    to: addresses,
    list: schedule.id,
    once,
    ...texts,
    attachments,
    ...(brand && { brand }),
  });
  const kept = channels.length > 0 ? await keepAttachments(tx, attachments) : [];
  const data = dataOf(document, slot, run, linked);
  const channelled = await writeDeliveries(tx, tree, channels, {
    type: "report",
    aboutNode: schedule.node,
    alert: null,
    once,
    message: { ...texts, data, attachments: kept, ...(brand && { brand }) },
  });
  const isPut = hasBucket && author && !isTest;
  const put = isPut ? await putFiles(tx, tree, { slot, schedule }, { ...texts, data }, once) : [];
  const written = [...mailed, ...channelled, ...put];
  const reached = await addressesOf(tx, mailed);
  const unwanted = addresses.filter((address) => !reached.has(address));
  await moveSlot(tx, slot.id, {
    ...(written.length > 0 ? { state: "sent", sentAt: new Date(nowMs) } : { state: "skipped", reason: "nobody" }),
    deliveries: written,
    withheld: [...withheld, ...unwanted],
    isLate,
  });
}

async function putFiles(
  tx: Queries,
  tree: Sending["tree"],
  { slot, schedule }: OpenSlot,
  { data, ...texts }: DeliveryMessage & { data: ReturnType<typeof dataOf> },
  once: string,
): Promise<string[]> {
  const path = folderOf(schedule, { id: slot.id, from: data.from, to: data.to });
  // Links end; what the operator keeps does not.
  const files = data.files.map(({ url: _url, ...kept }) => kept);
  const message = { ...texts, data: { ...data, files } };
  return await enqueuePut(tx, tree, { node: schedule.node, list: schedule.id, path, message, once });
}

const logoCid = "brand-logo";

function logoAttachment(url: string) {
  const { format, content } = logoOf(url);
  const contentType = format === "png" ? "image/png" : "image/jpeg";
  return { filename: `logo.${format}`, contentType, content, cid: logoCid };
}

function brandOfMail({ name, color, logo }: Branding): NonNullable<DeliveryMessage["brand"]> {
  return {
    ...(name !== undefined && { name }),
    ...(color !== undefined && { color: readable(color) }),
    ...(logo !== undefined && { logoCid }),
  };
}

interface Receivers {
  addresses: string[];
  /** Mail channels, with only those addresses that may get it. */
  channels: ChannelRow[];
  /** Addresses and channels' ids. */
  withheld: string[];
  /** The author of the schedule may see the report. */
  author: boolean;
}

async function receiversOf(
  tx: Queries,
  tree: Sending["tree"],
  { slot, schedule }: OpenSlot,
  run: RunRecord,
  nowMs: number,
): Promise<Receivers> {
  const isTest = slot.test !== "";
  const wanted = isTest ? (slot.testTo === null ? [] : [slot.testTo]) : schedule.recipients;
  const ids = isTest ? [] : schedule.channels;
  const found = ids.length === 0 ? [] : await tx.select().from(channelRows).where(inArray(channelRows.id, ids));
  const mailed = found.flatMap(({ kind, to }) => (kind === "email" ? (to ?? []) : []));
  const entitlement = await entitledTo(
    tx,
    tree,
    run,
    {
      author: { kind: schedule.authorKind, id: schedule.authorId },
      addresses: [...new Set([...wanted, ...mailed])],
      // A test goes to one person, who has an account or gets nothing.
      people: isTest ? wanted : schedule.people,
    },
    nowMs,
  );
  const gets = (address: string) => entitlement.addresses.has(address);
  const channels = found.flatMap((channel): ChannelRow[] => {
    if (!channel.enabled || !tree.isWithin(schedule.node, channel.node)) return [];
    if (channel.kind !== "email") return entitlement.author ? [channel] : [];
    const to = (channel.to ?? []).filter(gets);
    return to.length > 0 ? [{ ...channel, to }] : [];
  });
  const silent = ids.filter((id) => !channels.some((channel) => channel.id === id));
  const withheld = [...wanted.filter((address) => !gets(address)), ...silent];
  return { addresses: wanted.filter(gets), channels, withheld, author: entitlement.author };
}

async function addressesOf(tx: Queries, ids: readonly string[]): Promise<Set<string | null>> {
  if (ids.length === 0) return new Set();
  const rows = await tx
    .select({ to: deliveryRows.to })
    .from(deliveryRows)
    .where(inArray(deliveryRows.id, [...ids]));
  return new Set(rows.map(({ to }) => to));
}

interface LinkedFile extends Pick<FileRecord, "format" | "section" | "bytes" | "sha256"> {
  name: string;
  url: string;
}

async function linkedFiles(
  links: FileLinks,
  publicUrl: string,
  run: RunRecord,
  files: readonly FileRecord[],
  nowMs: number,
): Promise<LinkedFile[]> {
  const expiresMs = Math.min(nowMs + linkedMs, run.expiresAt.getTime());
  const linked = files.map(async (file): Promise<LinkedFile[]> => {
    const { format, section, bytes, sha256 } = file;
    if (format === "document") return [];
    const place = { run: run.id, format, ...(section !== "" && { section }) };
    const url = `${publicUrl}${await links.sign(place, expiresMs)}`;
    return [{ format, section, bytes, sha256, name: fileName(run, file), url }];
  });
  return (await Promise.all(linked)).flat();
}

async function attachedFiles(
  tx: Queries,
  run: RunRecord,
  files: readonly FileRecord[],
): Promise<MailMessage["attachments"]> {
  const attached: MailMessage["attachments"][number][] = [];
  for (const file of files) {
    if (file.format === "document") continue;
    const parts: Buffer[] = [];
    for await (const part of readFile(tx, file)) parts.push(part);
    attached.push({
      filename: fileName(run, file),
      contentType: mediaTypes[file.format],
      content: Buffer.concat(parts),
    });
  }
  return attached;
}

/** Such as `Usage summary for Acme, 1 March 2026 to 31 March 2026`. */
function subjectOf({ name, node_name }: ReportDocument, slot: SlotRecord): string {
  return `${name} for ${node_name}, ${periodInWords(slot.fromAt.getTime(), slot.toAt.getTime(), slot.tz)}`;
}

function linesOf(
  document: ReportDocument,
  slot: SlotRecord,
  { isEmpty, isLate, linked }: { isEmpty: boolean; isLate: boolean; linked: readonly LinkedFile[] },
): string[] {
  const clock = (ms: number) => cellText(formatInstant(ms, document.tz), { type: "instant" });
  return [
    `${subjectOf(document, slot)} (${document.tz}).`,
    ...(isEmpty ? ["There was no data in this period."] : []),
    ...(isLate
      ? [`This report is late: it was due ${clock(slot.dueAt.getTime())}, before all of its data had arrived.`]
      : []),
    `It includes everything received until ${clock(Date.parse(document.watermark))}.`,
    ...(linked.length > 0 ? ["The files are too large to attach. These links work for seven days:"] : []),
    ...linked.map(({ name, url }) => `${name}: ${url}`),
  ];
}

/** The data that a webhook gets. */
function dataOf(document: ReportDocument, slot: SlotRecord, run: RunRecord, linked: readonly LinkedFile[]) {
  const { report, name, kind, node, node_name, from, to, tz, watermark, made_at } = document;
  return {
    schedule: slot.schedule,
    slot: slot.id,
    run: run.id,
    report,
    name,
    kind,
    node,
    node_name,
    from,
    to,
    tz,
    watermark,
    made_at,
    figures: keyFigures(document),
    files: linked,
  };
}
