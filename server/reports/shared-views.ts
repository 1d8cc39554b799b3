/**
 * What the token of a link or of an embedding opens now: a dashboard with the figures of one node, as long as whoever made the
 * token may show it. Rights, the tree and the dashboard are looked at each time, so that a token outlives none of them.
 */
import { meters as builtInMeters } from "../catalog/built-in-meters.ts";
import { meterByName } from "../catalog/catalog.ts";
import type { MeterSummary } from "../contract/meters.ts";
import { type NodeAddress, nodeAddressSchema } from "../contract/nodes.ts";
import { metersOf, panelQuery, sharedQuery, type UsageQuestion, usageQuestion } from "../contract/usage-question.ts";
import type { EmbedTheme } from "../contract/view-links.ts";
import type { Panel } from "../contract/views.ts";
import type { Grant } from "../identity/actor.ts";
import { can, limitedByStatus } from "../identity/permissions.ts";
import type { CustomMeters } from "../meters/custom-meters.ts";
import { describeMeter } from "../meters/describe-meter.ts";
import type { Postgres } from "../postgres/client.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import type { EmbedTokens } from "./embed-tokens.ts";
import { grantsOfAuthor } from "./entitled.ts";
import { readView, type ViewRecord } from "./saved-views.ts";
import { findViewLink, noteLinkUse, type ViewLinkRecord } from "./view-links.ts";

export interface SharedViewSource {
  postgres: Pick<Postgres, "db">;
  tree: Pick<NodeTree, "get" | "isWithin" | "effectiveStatus" | "pathsBetween">;
  embedTokens: EmbedTokens;
}

/** A panel, and the node whose figures it shows. */
export interface SharedPanel {
  /** Its place in the dashboard. */
  panel: number;
  title: string;
  width: Panel["width"];
  node: NodeAddress;
  /** As its own address has it. */
  query: string;
}

export interface OpenedView {
  view: ViewRecord;
  node: NodeAddress;
  panels: SharedPanel[];
  /** What all panels have in common. */
  query: URLSearchParams;
  expiresAt: Date;
  theme: EmbedTheme | null;
  /** All who have the token are one caller. */
  caller: string;
  /** Where whoever made the token may read, and so may those who have it be told what is called how. */
  reach: readonly NodeAddress[];
}

/**
 * Undefined for anything but a token, for one that has ended, and for one that may not be shown now; callers cannot tell these
 * apart.
 */
export async function openSharedView(
  source: SharedViewSource,
  token: string,
  nowMs: number,
): Promise<OpenedView | undefined> {
  return (await openLink(source, token, nowMs)) ?? (await openEmbedding(source, token, nowMs));
}

async function openLink(source: SharedViewSource, token: string, nowMs: number): Promise<OpenedView | undefined> {
  const { db } = source.postgres;
  const found = await findViewLink(db, token, nowMs);
  if (!found) return undefined;
  const { link, view } = found;
  const grants = await grantsNow(source, { kind: link.makerKind, id: link.makerId }, nowMs);
  const opened = openFor(source.tree, { grants, by: "views:share" }, view, link.node);
  if (opened) await noteLinkUse(db, link, nowMs);
  return opened && { ...opened, expiresAt: link.expiresAt, theme: null, caller: `link ${link.id}` };
}

async function openEmbedding(source: SharedViewSource, token: string, nowMs: number): Promise<OpenedView | undefined> {
  const said = await source.embedTokens.read(token, nowMs);
  const view = said && (await readView(source.postgres.db, said.view));
  if (!said || !view) return undefined;
  const grants = await grantsNow(source, { kind: "key", id: said.key }, nowMs);
  const opened = openFor(source.tree, { grants, by: "read" }, view, said.node);
  const caller = `embed ${said.key} ${said.view} ${said.node}`;
  return opened && { ...opened, expiresAt: new Date(said.expiresMs), theme: said.theme, caller };
}

/** What whoever made a token may now. */
async function grantsNow(
  { postgres, tree }: SharedViewSource,
  maker: { kind: "user" | "key"; id: string },
  nowMs: number,
): Promise<Grant[]> {
  return limitedByStatus({ grants: await grantsOfAuthor(postgres.db, maker, nowMs) }, tree).grants;
}

/** Whether each link would open; the rights of each maker are read once. */
export async function heldLinks(
  source: SharedViewSource,
  view: ViewRecord,
  links: readonly ViewLinkRecord[],
  nowMs: number,
): Promise<ReadonlySet<string>> {
  const makers = new Map(links.map(({ makerKind: kind, makerId: id }) => [`${kind} ${id}`, { kind, id }]));
  const rights = new Map<string, Grant[]>();
  for (const [key, maker] of makers) rights.set(key, await grantsNow(source, maker, nowMs));
  const isHeld = ({ makerKind, makerId, node }: ViewLinkRecord) => {
    const grants = rights.get(`${makerKind} ${makerId}`) ?? [];
    return openFor(source.tree, { grants, by: "views:share" }, view, node) === undefined;
  };
  return new Set(links.filter(isHeld).map(({ id }) => id));
}

/** Undefined where the dashboard is none any more, or its node or the shown one has moved out of where the maker has the right. */
function openFor(
  tree: SharedViewSource["tree"],
  { grants, by }: { grants: readonly Grant[]; by: "views:share" | "read" },
  view: ViewRecord,
  node: NodeAddress,
): Pick<OpenedView, "view" | "node" | "panels" | "query" | "reach"> | undefined {
  if (view.panels === null || !tree.get(node) || !tree.isWithin(node, view.node)) return undefined;
  if (!can({ grants }, by, view.node, tree)) return undefined;
  const reach = grants.filter(({ actions }) => actions.has("read")).map((grant) => grant.node);
  return { view, node, reach, query: sharedQuery(view.query, ""), panels: panelsOf(tree, view.panels, node) };
}

/**
 * A panel of the node or of one below it stays as it is, one of a node above is asked about the node, every other is left out:
 * whoever may edit the dashboard must not read by somebody else's link what they may not read themselves.
 */
function panelsOf(
  tree: Pick<NodeTree, "get" | "isWithin">,
  panels: readonly Panel[],
  node: NodeAddress,
): SharedPanel[] {
  return panels.flatMap(({ title, width, query }, panel): SharedPanel[] => {
    const named = new URLSearchParams(query).get("node");
    const { data: own } = nodeAddressSchema.safeParse(named ?? node);
    if (own === undefined) return [];
    const shown = tree.isWithin(own, node) ? own : tree.isWithin(node, own) ? node : undefined;
    return shown !== undefined && tree.get(shown) ? [{ panel, title, width, query, node: shown }] : [];
  });
}

/** As every question about any node knows them. */
export const builtInSummaries: readonly MeterSummary[] = builtInMeters.map((meter) => describeMeter(meter, null));

/** What a panel asks now, which is all that can be asked by a token; `only`: the one meter of it that is shown. */
interface AskedPanel {
  question: UsageQuestion;
  only: string | undefined;
  /** Those of the meters that people made which the panel names: no others are looked up, however many there are. */
  made: MeterSummary[];
}

export function questionOfPanel(
  { query: shared }: Pick<OpenedView, "query">,
  { query, node }: Pick<SharedPanel, "query" | "node">,
  customMeters: Pick<CustomMeters, "find">,
  nowMs: number,
): AskedPanel {
  const search = panelQuery(query, shared);
  const read = (name: string) => search.get(name) ?? undefined;
  const made = metersMade(new Set(metersOf(read, undefined)), node, customMeters);
  const known = [...builtInSummaries, ...made];
  return { question: { ...usageQuestion(read, known, nowMs), node }, only: read("only"), made };
}

/** A version by its number is none of the meters that a dashboard may name. */
function metersMade(
  names: ReadonlySet<string>,
  node: NodeAddress,
  customMeters: Pick<CustomMeters, "find">,
): MeterSummary[] {
  return [...names].flatMap((name) => {
    if (name.includes("@") || meterByName(name)) return [];
    const meter = customMeters.find(name, node, Date.now());
    return meter ? [describeMeter(meter, null)] : [];
  });
}
