/**
 * Seals a piece of the log into a batch that never changes again: which records, which of their events are left out as
 * repeats of stored ones, and the ids its parts are stored under. The log's segments stay until the batch is settled,
 * so the manifest is all that has to be written, and a replay sends the same rows under the same ids.
 */
import { open, readdir, readFile, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { stringifyExact } from "../../json/exact-json.ts";
import { parseJson } from "../../json/parse-json.ts";
import { cloudEventOf } from "../accept/cloudevents.ts";
import { identityOf } from "../accept/event-hash.ts";
import { nameOfStored } from "../accept/event-identity.ts";
import { EventLines } from "../accept/event-lines.ts";
import { minuteOf, OutcomeTally, recount } from "../accept/event-outcomes.ts";
import { type EventLine, eventOfLine, renderQuarantineRow, splitEventLine } from "../accept/event-row.ts";
import type { StoredIdentity } from "../accept/known-ids.ts";
import { linesOf, organizationOf, readLoggedRequest } from "../accept/request-record.ts";
import type { LogPosition, LogRecord } from "../log/write-ahead-log.ts";

const positionSchema = z.object({ segment: z.number(), offset: z.number() });
/** Rows [from, to) of the batch, stored by one INSERT under a batch id of their own. */
const partSchema = z.object({ batch: z.number(), from: z.number(), to: z.number() });
export type BatchPart = z.infer<typeof partSchema>;

const manifestSchema = z.object({
  batch: z.number(),
  from: positionSchema.nullable(),
  to: positionSchema,
  /** Ordinals, among all events of the records in order, of those left out. */
  duplicates: z.array(z.number()),
  conflicts: z.array(z.number()),
  parts: z.array(partSchema),
  /** Rows that ClickHouse refused one by one, with its reason. */
  refused: z.array(z.object({ row: z.number(), message: z.string() })),
});
export type Manifest = z.infer<typeof manifestSchema>;

export interface SealedBatch {
  manifest: Manifest;
  /** Event lines that are stored, in the order of the log. */
  rows: EventLines;
  /** Quarantine lines, those of conflicts found while sealing last. */
  quarantined: string[];
  organizations: Set<string>;
  /** What became of the events of its records, repeats that were found while sealing taken into account. */
  outcomes: OutcomeTally;
  /** When its events were received (ms since 1970), and how many at each instant. */
  receipts: { atMs: number; events: number }[];
}

export type FindStored = (events: readonly StoredIdentity[]) => Promise<Map<string, string>>;

/**
 * Reads records into a batch. Events whose identity was not checked at acceptance are looked up now: a repeat is left
 * out, another body under a known id goes to quarantine, the first one stands.
 */
export async function sealBatch(
  records: readonly LogRecord[],
  from: LogPosition | null,
  batch: number,
  findStored: FindStored,
): Promise<SealedBatch> {
  const unchecked = new Map<number, EventLine>();
  let ordinal = 0;
  for (const { payload } of records) {
    const request = readLoggedRequest(payload);
    if (request.unchecked > 0)
      for (const [index, line] of linesOf(request.eventBytes).entries())
        if (!line.startsWith("1")) unchecked.set(ordinal + index, splitEventLine(line));
    ordinal += request.eventCount;
  }
  const duplicates: number[] = [];
  const conflicts: number[] = [];
  if (unchecked.size > 0) {
    const withoutSource = (event: EventLine) => ({ ...event, id: nameOfStored(event.id).id });
    const sourced = [...unchecked.values()].filter(({ id }) => nameOfStored(id).source !== undefined);
    const stored = await findStored([...unchecked.values(), ...sourced.map(withoutSource)]);
    const hashOf = (event: EventLine) => stored.get(identityOf(event.organization, event.id));
    for (const [uncheckedOrdinal, event] of unchecked) {
      const bodyHash = hashOf(event);
      if (bodyHash === undefined) {
        // Earlier versions stored a CloudEvent by its id alone.
        if (hashOf(withoutSource(event)) === event.bodyHash) duplicates.push(uncheckedOrdinal);
        continue;
      }
      (bodyHash === event.bodyHash ? duplicates : conflicts).push(uncheckedOrdinal);
    }
  }
  const last = records.at(-1);
  if (!last) throw new Error("a batch needs at least one record");
  const kept = ordinal - duplicates.length - conflicts.length;
  const parts = kept > 0 ? [{ batch, from: 0, to: kept }] : [];
  const manifest: Manifest = { batch, from, to: last.end, duplicates, conflicts, parts, refused: [] };
  return readBatch(records, manifest);
}

/** The rows of a sealed batch, from the records that its manifest names. Gives the same rows every time. */
export function readBatch(records: readonly LogRecord[], manifest: Manifest): SealedBatch {
  const leftOut = new Set([...manifest.duplicates, ...manifest.conflicts]);
  const rows = new EventLines();
  const quarantined: string[] = [];
  const conflicting: string[] = [];
  const organizations = new Set<string>();
  const outcomes = new OutcomeTally();
  const receipts: SealedBatch["receipts"] = [];
  let ordinal = 0;
  for (const record of records) {
    const request = readLoggedRequest(record.payload);
    const { eventCount } = request;
    const minuteMs = minuteOf(request.receivedAtMs);
    for (const count of request.outcomes)
      outcomes.add(count, count.key, count.outcome, count.reason, count.events, minuteMs);
    if (eventCount > 0) receipts.push({ atMs: request.receivedAtMs, events: eventCount });
    const isWhole = leftOut.size === 0 || !hasAny(leftOut, ordinal, ordinal + eventCount);
    if (isWhole) {
      rows.add(request.eventBytes, eventCount);
      for (const organization of request.organizations) organizations.add(organization);
    } else {
      const kept: string[] = [];
      for (const [index, line] of linesOf(request.eventBytes).entries()) {
        if (!leftOut.has(ordinal + index)) {
          kept.push(`${line}\n`);
          organizations.add(organizationOf(line));
        } else if (!manifest.conflicts.includes(ordinal + index)) recount(outcomes, line, "duplicate");
        else {
          recount(outcomes, line, "rejected", "id_conflict");
          const message = "another event with this ID and a different body was accepted earlier";
          conflicting.push(quarantineOfEvent(line, "id_conflict", "id", message));
        }
      }
      rows.add(Buffer.from(kept.join("")), kept.length);
    }
    ordinal += eventCount;
    for (const line of linesOf(request.quarantineBytes)) quarantined.push(line);
  }
  return { manifest, rows, quarantined: [...quarantined, ...conflicting], organizations, outcomes, receipts };
}

function hasAny(ordinals: ReadonlySet<number>, from: number, to: number): boolean {
  for (let ordinal = from; ordinal < to; ordinal++) if (ordinals.has(ordinal)) return true;
  return false;
}

/** A stored form of an event that had been accepted and cannot be kept with the others. */
export function quarantineOfEvent(line: string, code: string, field: string, message: string): string {
  const { event, source, receivedAtMs, key } = eventOfLine(line);
  const { organization, id } = event;
  const raw = stringifyExact(source === undefined ? event : cloudEventOf(event, source));
  return renderQuarantineRow({ receivedAtMs, organization, id, code, field, message, key, raw });
}

const progressSchema = z.object({
  settled: positionSchema.nullable(),
  sequence: z.number(),
  /** The version from which on derivations may not have ended. */
  unfinishedSince: z.number().optional(),
});
export type Progress = z.infer<typeof progressSchema>;

/** The sealed batches that are not settled, and how far the log is settled, as files of one folder. */
export interface BatchFiles {
  readProgress(): Promise<Progress>;
  writeProgress(progress: Progress): Promise<void>;
  /** In the order they were sealed. */
  readManifests(): Promise<Manifest[]>;
  /** On disk when it resolves; replaces an earlier manifest of the batch as a whole. */
  writeManifest(manifest: Manifest): Promise<void>;
  removeManifest(batch: number): Promise<void>;
}

export function batchFiles(directory: string): BatchFiles {
  const manifestName = (batch: number) => `${batch}.batch.json`;
  const progressName = "progress.json";
  async function writeDurably(name: string, value: unknown): Promise<void> {
    const temporary = join(directory, `${name}.new`);
    const file = await open(temporary, "w");
    try {
      await file.writeFile(JSON.stringify(value));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(directory, name));
    const folder = await open(directory, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
  return {
    async readProgress() {
      const text = await readFile(join(directory, progressName), "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined;
        throw error;
      });
      return text === undefined ? { settled: null, sequence: 0 } : progressSchema.parse(parseJson(text));
    },
    writeProgress: (progress) => writeDurably(progressName, progress),
    async readManifests() {
      const names = (await readdir(directory)).filter((name) => name.endsWith(".batch.json"));
      const manifests = await Promise.all(
        names.map(async (name) => manifestSchema.parse(parseJson(await readFile(join(directory, name), "utf8")))),
      );
      return manifests.sort((a, b) => a.batch - b.batch);
    },
    writeManifest: (manifest) => writeDurably(manifestName(manifest.batch), manifest),
    removeManifest: (batch) => unlink(join(directory, manifestName(batch))),
  };
}
