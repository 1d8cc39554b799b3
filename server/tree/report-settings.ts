/** How reports of a node look and how long they are kept: its own say, else that of the nearest node above. */
import { createHash } from "node:crypto";
import { eq, inArray } from "drizzle-orm";
import type { Branding, NodeAddress } from "../contract/nodes.ts";
import type { Queries } from "../postgres/client.ts";
import { nodeReportSettings } from "../postgres/schema/accounts.ts";
import type { NodeTree } from "./node-tree.ts";

export interface ReportSettings {
  branding: Branding | null;
  keptDays: number | null;
}

const usualDays = 90;

/** What the node itself says. */
export async function readReportSettings(db: Queries, node: NodeAddress): Promise<ReportSettings> {
  const [found] = await db.select().from(nodeReportSettings).where(eq(nodeReportSettings.node, node));
  return { branding: found?.branding ?? null, keptDays: found?.keptDays ?? null };
}

/** What holds at the node. */
export async function reportSettingsAt(
  db: Queries,
  tree: Pick<NodeTree, "ancestors">,
  node: NodeAddress,
): Promise<{ branding: Branding | undefined; keptDays: number }> {
  const path = tree.ancestors(node);
  const rows = await db.select().from(nodeReportSettings).where(inArray(nodeReportSettings.node, path));
  const nearest = path.flatMap((one) => rows.find((row) => row.node === one) ?? []);
  return {
    branding: nearest.find(({ branding }) => branding !== null)?.branding ?? undefined,
    keptDays: nearest.find(({ keptDays }) => keptDays !== null)?.keptDays ?? usualDays,
  };
}

/** What is undefined stays. Gives what the node says then. */
export async function writeReportSettings(
  tx: Queries,
  node: NodeAddress,
  before: ReportSettings,
  { branding = before.branding, keptDays = before.keptDays }: Partial<ReportSettings>,
): Promise<ReportSettings> {
  const said = { branding, keptDays };
  await tx
    .insert(nodeReportSettings)
    .values({ node, ...said })
    .onConflictDoUpdate({ target: nodeReportSettings.node, set: said });
  return said;
}

/** For the audit, which records that a logo changed without keeping each. */
export function recordedBranding(branding: Branding | null): object | null {
  if (branding?.logo === undefined) return branding;
  return { ...branding, logo: `sha256:${createHash("sha256").update(branding.logo).digest("hex")}` };
}
