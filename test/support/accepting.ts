/** Accepting with a real log in a temporary directory, a small account tree, and storage that only answers lookups. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventType } from "../../server/catalog/catalog.ts";
import type { AcceptDeps, AcceptingTree } from "../../server/ingest/accept/accept-request.ts";
import { Admission, type AdmissionOptions } from "../../server/ingest/accept/backpressure.ts";
import {
  type LineColumn,
  lineColumns,
  quarantineColumns,
  unescapeColumn,
} from "../../server/ingest/accept/event-row.ts";
import { KnownIds } from "../../server/ingest/accept/known-ids.ts";
import { parseRequestRecord } from "../../server/ingest/accept/request-record.ts";
import type { SendingKey } from "../../server/ingest/accept/sending-key.ts";
import { openWriteAheadLog, type WriteAheadLog } from "../../server/ingest/log/write-ahead-log.ts";
import type { Placement } from "../../server/rollups/session-parts.ts";
import type { PathSpan } from "../../server/tree/nodes-in-memory.ts";

/** Organizations and the partner and reseller above each; `acme` moved from r1 to r2 at 2026-01-01. */
export class SmallTree implements AcceptingTree {
  /** The placements of organizations that move, in order of time, the first since 1970. */
  readonly placements = new Map<string, Placement[]>([
    [
      "acme",
      [
        { sinceMs: 0, partner: "p1", reseller: "r1" },
        { sinceMs: Date.UTC(2026, 0, 1), partner: "p1", reseller: "r2" },
      ],
    ],
  ]);
  readonly organizations = new Map([
    ["acme", { partner: "p1", reseller: "r1" }],
    ["globex", { partner: "p2", reseller: "" }],
  ]);

  get(address: string): unknown {
    return this.organizations.get(address.slice("organization:".length));
  }

  isWithin(address: string, ancestor: string): boolean {
    const path = this.organizations.get(address.slice("organization:".length));
    if (!path) return false;
    return ["all", address, `partner:${path.partner}`, `reseller:${path.reseller}`].includes(ancestor);
  }

  effectiveStatus(): string {
    return "active";
  }

  ancestors(address: string): string[] {
    return address === "reseller:r1" ? [address, "partner:p1", "all"] : [address, "all"];
  }

  pathAt(organization: string, timeMs: number): { partner: string; reseller: string } | undefined {
    const placement = this.placements.get(organization)?.findLast(({ sinceMs }) => sinceMs <= timeMs);
    return placement
      ? { partner: placement.partner, reseller: placement.reseller }
      : this.organizations.get(organization);
  }

  placementsWithin(organization: string, fromMs: number, toMs: number): Placement[] | undefined {
    const first = this.pathAt(organization, fromMs);
    const later = (this.placements.get(organization) ?? []).filter(
      ({ sinceMs }) => sinceMs > fromMs && sinceMs <= toMs,
    );
    return first && [{ sinceMs: fromMs, ...first }, ...later];
  }

  pathsBetween(address: string, fromMs: number, toMs: number): PathSpan[] {
    const placements = this.placementsWithin(address.slice("organization:".length), fromMs, toMs - 1) ?? [];
    return placements.map(({ sinceMs, partner, reseller }, index) => ({
      fromMs: sinceMs,
      toMs: placements[index + 1]?.sinceMs ?? toMs,
      path: [address, ...(reseller ? [`reseller:${reseller}`] : []), ...(partner ? [`partner:${partner}`] : []), "all"],
    }));
  }

  async ensureOrganizations(organizations: string[], parent: string): Promise<void> {
    const [kind, id = ""] = parent.split(":");
    for (const organization of organizations) {
      this.organizations.set(organization, {
        partner: kind === "partner" ? id : "",
        reseller: kind === "reseller" ? id : "",
      });
    }
  }
}

export const rootKey: SendingKey = { id: "key_1", node: "all", createOrganizations: true };

export interface Accepting extends AcceptDeps {
  log: WriteAheadLog;
  tree: SmallTree;
  stored: Map<string, string>;
  /** All event lines of the log, column by column. */
  loggedEvents(): Promise<Record<LineColumn, string>[]>;
  loggedQuarantine(): Promise<Record<(typeof quarantineColumns)[number], string>[]>;
  close(): Promise<void>;
}

export async function startAccepting(
  options: { now?: () => number; maxBytes?: number; admission?: Partial<AdmissionOptions> } = {},
): Promise<Accepting> {
  const directory = await mkdtemp(join(tmpdir(), "tidemark-accept-"));
  const log = await openWriteAheadLog({
    directory,
    maxBytes: options.maxBytes ?? 1e9,
    onFatal: (error) => {
      throw error;
    },
  });
  const stored = new Map<string, string>();
  const knownIds = new KnownIds({ lookupStored: async () => stored, filterBytes: 1 << 16, recentSlots: 1 << 15 });
  const now = options.now ?? Date.now;
  async function lines<Column extends string>(
    kind: "events" | "quarantined",
    columns: readonly Column[],
  ): Promise<Record<Column, string>[]> {
    const all: Record<Column, string>[] = [];
    for await (const { payload } of log.read(null)) {
      for (const line of parseRequestRecord(payload)[kind]) {
        const values = line.split("\t");
        if (values.length !== columns.length) throw new Error(`${values.length} columns instead of ${columns.length}`);
        const named = columns.map((column, index) => [column, unescapeColumn(values[index] ?? "")]);
        all.push(Object.fromEntries(named) as Record<Column, string>);
      }
    }
    return all;
  }
  return {
    log,
    knownIds,
    stored,
    tree: new SmallTree(),
    admission: new Admission({ log, now, ...options.admission }),
    eventType,
    now,
    loggedEvents: () => lines("events", lineColumns),
    loggedQuarantine: () => lines("quarantined", quarantineColumns),
    async close() {
      await log.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
