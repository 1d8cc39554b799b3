/** The organizations of a node, searched, filtered, sorted and cut into pages: all from memory, since sorting by usage needs the figures of all. */

import TinyQueue from "tinyqueue";
import type { NodeStatus } from "../contract/nodes.ts";
import type { Organization, OrganizationSort } from "../contract/organizations.ts";
import type { QuotaStatus } from "../contract/quota-status.ts";
import { createPace, type Pace } from "../fairness/pace.ts";
import { compareDecimals } from "../numbers/figures.ts";
import type { NodeRecord } from "../tree/node-record.ts";
import { type SearchedText, searchDistance, searchedText } from "./search-names.ts";

export interface OrganizationQuestion {
  search: string | undefined;
  /** Ids; `none` is one. */
  plans: readonly string[] | undefined;
  statuses: readonly NodeStatus[] | undefined;
  quotas: readonly (QuotaStatus | "none")[] | undefined;
  sort: OrganizationSort;
  order: "asc" | "desc";
}

/** Where a page ends: the value and node of its last entry. */
export interface PageEnd {
  value: string | number;
  node: string;
}

/** Looks up facts of an organization by its record. */
export interface OrganizationFacts {
  planOf: (record: NodeRecord) => Organization["plan"];
  usersOf: (record: NodeRecord) => number;
  usageOf: (record: NodeRecord) => string | number;
  quotaOf: (record: NodeRecord) => Organization["quota"];
  /** Its limits could not be read. */
  isMissing: (record: NodeRecord) => boolean;
}

export interface OrganizationPage {
  total: number;
  records: NodeRecord[];
  /** Undefined on the last page. */
  next: PageEnd | undefined;
}

interface Placed {
  record: NodeRecord;
  value: string | number;
}

/**
 * Those of `records` that match, those after `after` first in the asked order, the node's address where two are alike. Worked out
 * in slices, since a search compares each word of 100,000 names. Rejects with the signal's reason once it is aborted.
 */
export async function pageOfOrganizations(
  records: readonly NodeRecord[],
  facts: OrganizationFacts,
  question: OrganizationQuestion,
  after: PageEnd | undefined,
  limit: number,
  signal?: AbortSignal,
): Promise<OrganizationPage> {
  const pace = createPace(signal);
  const found = await matching(records, facts, question, pace);
  const compare = inOrder(question);
  const waiting = new TinyQueue<Placed>([], compare);
  for (const one of found) {
    if (after === undefined || compare(one, asPlaced(after)) > 0) waiting.push(one);
    const resting = pace.rest();
    if (resting) await resting;
  }
  const page: Placed[] = [];
  for (let next = waiting.pop(); next; next = page.length < limit ? waiting.pop() : undefined) {
    page.push(next);
    const resting = pace.rest();
    if (resting) await resting;
  }
  const last = page.at(-1);
  return {
    total: found.length,
    records: page.map(({ record }) => record),
    next: waiting.length === 0 || !last ? undefined : { value: last.value, node: last.record.node },
  };
}

const asPlaced = ({ value, node }: PageEnd) => ({ value, record: { node } });

async function matching(
  records: readonly NodeRecord[],
  facts: OrganizationFacts,
  question: OrganizationQuestion,
  pace: Pace,
): Promise<Placed[]> {
  const { plans, statuses, quotas, sort } = question;
  const search = question.search === undefined ? undefined : searchedText(question.search);
  const found: Placed[] = [];
  for (const record of records) {
    const resting = pace.rest();
    if (resting) await resting;
    if (statuses && !statuses.includes(record.status)) continue;
    if (plans && !plans.includes(facts.planOf(record)?.id ?? "none")) continue;
    if (quotas && facts.isMissing(record)) continue;
    if (quotas && !quotas.includes(facts.quotaOf(record)?.status ?? "none")) continue;
    const distance = search ? searchDistance(search, textsOf(record)) : 0;
    if (distance === undefined) continue;
    found.push({ record, value: sortValue(record, facts, sort, distance) });
  }
  return found;
}

/** A node gets a new record object with every change. */
const searchedTexts = new WeakMap<NodeRecord, SearchedText[]>();

function textsOf(record: NodeRecord): SearchedText[] {
  const held = searchedTexts.get(record);
  if (held) return held;
  const texts = [record.name, record.id, ...(record.externalId === null ? [] : [record.externalId])].map(searchedText);
  searchedTexts.set(record, texts);
  return texts;
}

function sortValue(record: NodeRecord, facts: OrganizationFacts, sort: OrganizationSort, distance: number) {
  switch (sort) {
    case "name":
      return record.name;
    case "usage":
      return String(facts.usageOf(record));
    case "users":
      return facts.usersOf(record);
    case "created":
      return record.createdAt.getTime();
    case "relevance":
      return distance;
  }
}

/** As people look names up: case and accents last, numbers by their size. */
const collator = new Intl.Collator("en", { numeric: true });

function inOrder({ sort, order }: OrganizationQuestion) {
  const sign = order === "asc" ? 1 : -1;
  const byValue =
    sort === "name"
      ? (a: string | number, b: string | number) => collator.compare(String(a), String(b))
      : // Floats decide but where they are alike: exact decimals are compared where it matters.
        (a: string | number, b: string | number) => Number(a) - Number(b) || compareExactly(a, b);
  return (a: { value: string | number; record: { node: string } }, b: typeof a) =>
    sign * byValue(a.value, b.value) || (a.record.node < b.record.node ? -1 : a.record.node > b.record.node ? 1 : 0);
}

function compareExactly(a: string | number, b: string | number): number {
  return a === b ? 0 : compareDecimals(String(a), String(b));
}
