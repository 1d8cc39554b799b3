/** The account tree, as the server tells of it and changes it. */
import type { ChangeNode, CreateNode, ImportAnswer, Node, NodeList } from "@contract/nodes.ts";
import type { Problem } from "@contract/problem.ts";
import { ApiError, send, sendTagged, type Tagged } from "./client.ts";

const nodeAddress = (node: string) => `/v1/nodes/${encodeURIComponent(node)}`;

export function readTaggedNode(node: string, signal?: AbortSignal): Promise<Tagged<Node>> {
  return sendTagged<Node>("GET", nodeAddress(node), { signal });
}

/** A page of those right below a node; agents are not listed. */
export function readChildren(parent: string, cursor: string | undefined, signal?: AbortSignal): Promise<NodeList> {
  const search = new URLSearchParams({ parent, limit: "200", ...(cursor && { cursor }) });
  return send<NodeList>("GET", `/v1/nodes?${search}`, { signal });
}

/** Throws ApiError `precondition_failed` when the node is no longer what `tag` stands for. */
export function changeNode(node: string, change: ChangeNode, tag: string | undefined): Promise<Tagged<Node>> {
  return sendTagged<Node>("PATCH", nodeAddress(node), { body: change, ifMatch: tag });
}

export function createNode(node: CreateNode): Promise<Node> {
  return send<Node>("POST", "/v1/nodes", { body: node });
}

/** All lines are taken or none, with `isDryRun` none; what is wrong with lines is in the answer either way. */
export async function importNodes(csv: string, isDryRun: boolean): Promise<ImportAnswer> {
  try {
    return await send<ImportAnswer>("POST", `/v1/nodes/import?dry_run=${isDryRun}`, { csv });
  } catch (thrown) {
    const answer = thrown instanceof ApiError ? (thrown.problem as (Problem & ImportAnswer) | undefined) : undefined;
    if (answer?.errors) return answer;
    throw thrown;
  }
}
