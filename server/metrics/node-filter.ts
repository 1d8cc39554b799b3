/** A node of the account tree as the parameters by which every query limits itself to its subtree. */
import { z } from "zod";
import { parseNode } from "../contract/node-address.ts";

export const nodeParams = z.object({ kind: z.string(), node: z.string(), agent: z.string() });
export type NodeFilter = z.infer<typeof nodeParams>;

/** The subtree of an address; an agent is its organization, limited to the agent. */
export function nodeFilter(address: string): NodeFilter {
  const parsed = parseNode(address);
  if (parsed.kind === "agent") return { kind: "organization", node: parsed.organization, agent: parsed.agent };
  return { kind: parsed.kind, node: parsed.id, agent: "" };
}
