/** Sessions as they are stored beside the rows that a derivation would write for them now. */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import type { OpenRow, SessionRow } from "./session-rows.ts";
import { type DirtyShare, dirtyShare } from "./stored-sessions.ts";

const identity = z.object({ organization: z.string(), session: z.string() });
const storedSessions = defineQuery(
  "stored_sessions",
  dirtyShare,
  z.looseObject({ ...identity.shape, part: z.number() }),
);
const storedOpenSessions = defineQuery(
  "stored_open_sessions",
  dirtyShare,
  identity.extend({ deadline_ms: numberColumn }),
);

type Identity = z.output<typeof identity>;

export interface SessionDifference extends Identity {
  /** The columns that differ, as JSON; '' for no row. */
  expected: string;
  found: string;
}

/** Compares every column of both tables but the version. A session without intervals needs no row. */
export async function compareSessions(
  clickhouse: ClickHouse,
  dirty: DirtyShare,
  sessionRows: readonly SessionRow[],
  openRows: readonly OpenRow[],
): Promise<SessionDifference[]> {
  const [stored, storedOpen] = await Promise.all([
    storedSessions(clickhouse, dirty),
    storedOpenSessions(clickhouse, dirty),
  ]);
  const found = new Map(stored.map((row) => [partOf(row), row]));
  const foundDeadlines = new Map(storedOpen.map((row) => [keyOf(row), row.deadline_ms]));
  const deadlines = new Map(openRows.map((row) => [keyOf(row), row.is_deleted === 1 ? 0 : row.deadline_ms]));
  return sessionRows.flatMap((row): SessionDifference[] => {
    const key = keyOf(row);
    const expectedRow = { ...row, listed_until_ms: deadlines.get(key) ?? 0 };
    const foundRow = found.get(partOf(row));
    const difference = foundRow
      ? differingColumns(expectedRow, { ...foundRow, listed_until_ms: foundDeadlines.get(key) ?? 0 })
      : isEmpty(row)
        ? undefined
        : { expected: JSON.stringify(row), found: "" };
    return difference ? [{ organization: row.organization, session: row.session, ...difference }] : [];
  });
}

function differingColumns(
  expected: object,
  found: Readonly<Record<string, unknown>>,
): { expected: string; found: string } | undefined {
  const differing = Object.entries(expected).filter(
    ([column, value]) => column !== "version" && JSON.stringify(value) !== JSON.stringify(found[column]),
  );
  if (differing.length === 0) return undefined;
  return {
    expected: JSON.stringify(Object.fromEntries(differing)),
    found: JSON.stringify(Object.fromEntries(differing.map(([column]) => [column, found[column]]))),
  };
}

const isEmpty = (row: SessionRow) => row.orphans === 0 && row.inverted === 0 && row.span_level.length === 0;
const partOf = (row: Identity & { part: number }) => `${keyOf(row)}\0${row.part}`;
const keyOf = ({ organization, session }: Identity) => `${organization}\0${session}`;
