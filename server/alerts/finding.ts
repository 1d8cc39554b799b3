/** What evaluating a rule at a node gives: one finding for each thing that may become an alert. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { Reading } from "./next-state.ts";

export interface Finding {
  node: NodeAddress;
  /** What it is about within the node; findings with one subject share a message. */
  subject: string;
  /** Makes it unique in its period; null: it may fire again whenever it has resolved. */
  once: string | null;
  feature?: string | undefined;
  meter?: string | undefined;
  threshold?: number | string | undefined;
  value?: string | undefined;
  limit?: string | undefined;
  percent?: string | undefined;
  period?: { startMs: number; endMs: number } | undefined;
  /** As the alert has them. */
  owners?: readonly NodeAddress[] | undefined;
  finding: Reading["finding"];
  explanation: string;
}

/** What an alert is about, and whose it is. */
export interface AlertPlace {
  node: NodeAddress;
  subject: string;
  owners: readonly NodeAddress[] | null;
}

/** A rule evaluated at some nodes. */
export interface Evaluation {
  nodes: readonly NodeAddress[];
  findings: readonly Finding[];
  /** What happens to alerts without a finding: they resolve with a message that says why, or end without one. */
  missing: "ends" | { because: string; endsWhere?: (alert: AlertPlace) => boolean };
  /** Evaluated after the fact: alerts that were evaluated by what is known of later stay as they are. */
  isOfPast?: boolean;
}
