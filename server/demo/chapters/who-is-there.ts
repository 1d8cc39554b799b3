/** Who is there: a partner, its resellers, and their organizations, with what is noted about some of them. */
import { dayMs } from "../../contract/durations.ts";
import { nodeAddress } from "../../contract/node-address.ts";
import type { ChangeNode, CreateNode, Node, NodeDetail, NodeList } from "../../contract/nodes.ts";
import type { ApiCaller } from "../../programs/api-caller.ts";
import { demoMoves, demoOrganizations, demoPartners, demoResellers, trialFromDay } from "../demo-accounts.ts";

const accountManagers: Readonly<Record<string, string>> = {
  brightwater: "Piet Hansen",
  kestrel: "Sam Osei",
  altamar: "Lucía Romero",
};

const wanted: readonly CreateNode[] = [
  ...demoPartners.map((one): CreateNode => ({ ...one, kind: "partner", parent: "all" })),
  ...demoResellers.map((one): CreateNode => ({ ...one, kind: "reseller" })),
  ...demoOrganizations.map(
    ({ id, name, reseller, joinedOnDay }, place): CreateNode => ({
      kind: "organization",
      id,
      name,
      parent: nodeAddress("reseller", reseller),
      external_id: `C-${1001 + place}`,
      status: joinedOnDay > trialFromDay ? "trial" : "active",
      fields: { account_manager: accountManagers[reseller] ?? "" },
    }),
  ),
];

/**
 * Makes the nodes that are missing and moves those that are to move, before any usage is sent. Answers when the demonstration was
 * started for the first time, ms since 1970: when its first node was made.
 */
export async function makeNodes(api: ApiCaller): Promise<number> {
  const { nodes } = await api.get<NodeList>("/v1/nodes?limit=1000");
  const there = new Map(nodes.map((one) => [one.node, one]));
  let startedAtMs = Number.POSITIVE_INFINITY;
  for (const one of wanted) {
    const node = there.get(nodeAddress(one.kind, one.id)) ?? (await api.post<Node>("/v1/nodes", one));
    if (one.kind === "reseller") startedAtMs = Math.min(startedAtMs, Date.parse(node.created_at));
  }
  return startedAtMs;
}

/** From one reseller to another, as of a day of the past: usage until then stays with the one before. */
export async function makeMoves(api: ApiCaller, firstMs: number): Promise<void> {
  for (const { organization, to, onDay } of demoMoves) {
    const path = `/v1/nodes/${encodeURIComponent(nodeAddress("organization", organization))}`;
    const parent = nodeAddress("reseller", to);
    if ((await api.get<NodeDetail>(path)).parent === parent) continue;
    const move: ChangeNode = { parent, effective_from: new Date(firstMs + onDay * dayMs).toISOString() };
    await api.patch(path, move);
  }
}

/** How the reports and mails of one reseller look. */
export async function makeBranding(api: ApiCaller): Promise<void> {
  const path = `/v1/nodes/${encodeURIComponent(nodeAddress("reseller", "brightwater"))}`;
  if ((await api.get<NodeDetail>(path)).branding !== null) return;
  const change: ChangeNode = { branding: { name: "Brightwater", color: "#0f4c81" } };
  await api.patch(path, change);
}
