/** What reports are read from, and what one is asked. */

import type { PeriodSource } from "../billing/period.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ReportKind, ReportOptions } from "../contract/reports.ts";
import type { OrganizationFigures } from "../overview/organization-figures.ts";
import type { NodeTree } from "../tree/node-tree.ts";

export interface ReportSource extends PeriodSource {
  tree: NodeTree;
  figures: OrganizationFigures;
}

export interface ReportQuestion {
  /** An id, or the name of a standard report. */
  report: string;
  name: string;
  kind: ReportKind;
  options: ReportOptions;
  node: NodeAddress;
  /** ms since 1970, UTC. */
  fromMs: number;
  /** Exclusive. */
  toMs: number;
  /** IANA. */
  tz: string;
  /** Statements and changes are shown that stood at or below one of these then; default: the node. */
  reach?: readonly NodeAddress[];
}

/** More rows than this are for a list's own export, which is streamed. */
export const maxReportRows = 250_000;

/** What was asked for has more than a report may have: the range or the node is to be narrowed. */
export class ReportTooLargeError extends Error {
  override name = "ReportTooLargeError";
}
