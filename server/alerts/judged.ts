/** What judging a rule at a node gives: one finding for each thing that may become an alert. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { Reading } from "./next-state.ts";

export interface Judged {
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
  finding: Reading["finding"];
  explanation: string;
}

/** A rule judged at some nodes. */
export interface Judgement {
  nodes: readonly NodeAddress[];
  judged: readonly Judged[];
  /** What happens to alerts without a finding: they resolve with a message that says why, or end without one. */
  missing: "ends" | { because: string };
  /** Judged after the fact: alerts that were judged by what is known of later stay as they are. */
  isOfPast?: boolean;
}
