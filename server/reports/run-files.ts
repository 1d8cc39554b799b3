/**
 * The files of runs, in Postgres: the process that makes a run and the one that serves it may be on different hosts. In
 * parts, so that neither ever holds more of a file than a part of it.
 */
import { createHash } from "node:crypto";
import { and, asc, eq, inArray, sql } from "drizzle-orm";
import type { NodeAddress } from "../contract/nodes.ts";
import { type ReportDocument, type ReportFormat, reportFormats } from "../contract/reports.ts";
import { parseJson } from "../json/parse-json.ts";
import type { Queries } from "../postgres/client.ts";
import { reportFileParts, reportFiles, reportRuns } from "../postgres/schema/reports.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";

export type FileRecord = typeof reportFiles.$inferSelect;
type StoredFormat = FileRecord["format"];

/** Which file of a run: `section` is '' where one file holds all of them. */
export interface FileKey {
  run: string;
  format: StoredFormat;
  section: string;
}

const partBytes = 1024 * 1024;

/** Replaces what an abandoned attempt left. */
export async function storeFile(
  db: Queries,
  file: FileKey,
  position: number,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const { run, format, section } = file;
  await removeFile(db, file);
  const sum = createHash("sha256");
  let [bytes, number, held] = [0, 0, Buffer.alloc(0)];
  const store = async (part: Buffer) => {
    await db.insert(reportFileParts).values({ run, format, section, number: number++, content: part });
  };
  for await (const piece of content) {
    sum.update(piece);
    bytes += piece.length;
    held = Buffer.concat([held, piece]);
    for (; held.length >= partBytes; held = held.subarray(partBytes))
      await store(Buffer.from(held.subarray(0, partBytes)));
  }
  if (held.length > 0) await store(held);
  await db.insert(reportFiles).values({ run, format, section, position, bytes, sha256: sum.digest("hex") });
}

/** Removes what an attempt that failed or was cancelled has left. */
export async function removeFiles(db: Queries, run: string): Promise<void> {
  await db.delete(reportFileParts).where(eq(reportFileParts.run, run));
  await db.delete(reportFiles).where(eq(reportFiles.run, run));
}

/** Where no other is set: of all files of runs that one tenant keeps. */
export const maxKeptBytes = 10 * 1024 * 1024 * 1024;

/** How many bytes the tenant's runs keep. */
export async function keptBytes(db: Queries, tree: Pick<NodeTree, "ancestors">, tenant: NodeAddress): Promise<number> {
  const found = await db
    .select({ node: reportRuns.node, bytes: sql<number>`sum(${reportFiles.bytes})::float8` })
    .from(reportFiles)
    .innerJoin(reportRuns, eq(reportRuns.id, reportFiles.run))
    .groupBy(reportRuns.node);
  return found.reduce((sum, { node, bytes }) => (tenantOf(node, tree) === tenant ? sum + bytes : sum), 0);
}

/** Names nothing above whoever reads it: neither the tenant nor how the installation is set. */
export function keepsTooMuch(): ProblemError {
  const why = "the storage for report files is full";
  return new ProblemError("conflict", `${why}. Space is freed as runs expire`);
}

/** The same pieces; throws what `refusal` makes where they have more bytes than `most`. */
export async function* upTo(
  most: number,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  refusal: () => Error,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of content) {
    bytes += piece.length;
    if (bytes > most) throw refusal();
    yield piece;
  }
}

async function removeFile(db: Queries, { run, format, section }: FileKey): Promise<void> {
  const parts = and(
    eq(reportFileParts.run, run),
    eq(reportFileParts.format, format),
    eq(reportFileParts.section, section),
  );
  await db.delete(reportFileParts).where(parts);
  const files = and(eq(reportFiles.run, run), eq(reportFiles.format, format), eq(reportFiles.section, section));
  await db.delete(reportFiles).where(files);
}

/** The files of these runs, in the order of the formats and of the sections; without the document. */
export async function listFiles(db: Queries, runs: readonly string[]): Promise<FileRecord[]> {
  if (runs.length === 0) return [];
  const found = await db
    .select()
    .from(reportFiles)
    .where(and(inArray(reportFiles.run, [...runs]), inArray(reportFiles.format, [...reportFormats])))
    .orderBy(asc(reportFiles.position));
  const rank = ({ format }: FileRecord) => reportFormats.indexOf(format as ReportFormat);
  return found.sort((a, b) => rank(a) - rank(b));
}

/** Without a section the first one. */
export async function findFile(
  db: Queries,
  { run, format, section }: Pick<FileKey, "run" | "format"> & { section: string | undefined },
): Promise<FileRecord | undefined> {
  const wanted = section === undefined ? undefined : eq(reportFiles.section, section);
  const [found] = await db
    .select()
    .from(reportFiles)
    .where(and(eq(reportFiles.run, run), eq(reportFiles.format, format), wanted))
    .orderBy(asc(reportFiles.position))
    .limit(1);
  return found;
}

/** Its bytes, part after part. Throws where it was removed meanwhile. */
export async function* readFile(db: Queries, { run, format, section, bytes }: FileRecord): AsyncGenerator<Buffer> {
  let given = 0;
  for (let number = 0; given < bytes; number++) {
    const [part] = await db
      .select({ content: reportFileParts.content })
      .from(reportFileParts)
      .where(
        and(
          eq(reportFileParts.run, run),
          eq(reportFileParts.format, format),
          eq(reportFileParts.section, section),
          eq(reportFileParts.number, number),
        ),
      );
    if (!part) throw new Error("the file was removed while it was read");
    given += part.content.length;
    yield part.content;
  }
}

/** The document of the run; undefined until it is made. */
export async function readDocument(db: Queries, run: string): Promise<ReportDocument | undefined> {
  const file = await findFile(db, { run, format: "document", section: "" });
  if (!file) return undefined;
  const parts: Buffer[] = [];
  for await (const part of readFile(db, file)) parts.push(part);
  return parseJson(Buffer.concat(parts).toString("utf8")) as ReportDocument;
}
