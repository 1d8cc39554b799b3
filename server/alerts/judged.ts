/** What judging a rule at a node gives: one finding for each thing that may become an alert. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { Reading } from "./next-state.ts";

export interface Judged {
  node: NodeAddress;
  /** What of the node it is about; of what is told together the same. */
  subject: string;
  /** What makes it once in its period; null: it may fire again whenever it has resolved. */
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
  /** What becomes of alerts that nothing was found about any more: they resolve and say so, or are over without a word. */
  missing: "clears" | "ends";
}
