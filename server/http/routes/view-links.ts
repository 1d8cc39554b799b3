/** /v1/views/{id}/links and …/embed-tokens: who may show a dashboard to people without an account, and for how long. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { minuteMs } from "../../contract/durations.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import {
  createdViewLinkSchema,
  createEmbedTokenSchema,
  createViewLinkSchema,
  embedTokenSchema,
  type ViewLink,
  viewLinkListSchema,
  viewLinkSchema,
} from "../../contract/view-links.ts";
import type { Actor } from "../../identity/actor.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import { readView, type ViewRecord } from "../../reports/saved-views.ts";
import { heldLinks, type SharedViewSource } from "../../reports/shared-views.ts";
import {
  createViewLink,
  listViewLinks,
  noSuchLink,
  revokeViewLink,
  type ViewLinkRecord,
} from "../../reports/view-links.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode, withinReach } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { isLoopback } from "../client.ts";
import type { HttpEnv } from "../http-env.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";

export interface ViewLinksRoutesDeps extends SharedViewSource {
  postgres: Postgres;
  tree: NodeTree;
  /** Where people reach the dashboard, without a slash at its end. */
  publicUrl: string;
  now?: () => number;
}

const linkParams = idParams.extend({ link: z.string().max(100) });

const createViewLinkRoute = createRoute({
  method: "post",
  path: "/v1/views/{id}/links",
  operationId: "createViewLink",
  tags: ["Usage"],
  summary: "Create a read-only link to a dashboard",
  description:
    "It works without an account and shows the dashboard to anyone who has it, until it expires or is revoked, and as long as its creator can share the dashboard: a link never outlives their role or key. The answer contains the link, shown only once.",
  middleware: requireScope("views:share"),
  request: { params: idParams, body: jsonBody(createViewLinkSchema) },
  responses: {
    201: jsonAnswer("The new link", createdViewLinkSchema),
    ...problemResponses(400, 401, 403, 404, 409, 503),
  },
});

const listViewLinksRoute = createRoute({
  method: "get",
  path: "/v1/views/{id}/links",
  operationId: "listViewLinks",
  tags: ["Usage"],
  summary: "List the links to a dashboard",
  middleware: requireScope("views:share"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The links", viewLinkListSchema), ...problemResponses(401, 403, 404, 503) },
});

const revokeViewLinkRoute = createRoute({
  method: "delete",
  path: "/v1/views/{id}/links/{link}",
  operationId: "revokeViewLink",
  tags: ["Usage"],
  summary: "Revoke a link to a dashboard",
  description: "It stops working right away, whoever created it. Revoking it again changes nothing.",
  middleware: requireScope("views:share"),
  request: { params: linkParams },
  responses: { 200: jsonAnswer("The revoked link", viewLinkSchema), ...problemResponses(401, 403, 404, 503) },
});

const createEmbedTokenRoute = createRoute({
  method: "post",
  path: "/v1/views/{id}/embed-tokens",
  operationId: "createEmbedToken",
  tags: ["Usage"],
  summary: "Create a token to embed a dashboard",
  description:
    "For a server with an API key, which passes it to the page that frames the dashboard: [how](/docs/embedding). It shows the dashboard for one node until it expires, and no longer than the key works and can read the dashboard's node. It is not stored and does not appear in the audit log.",
  middleware: requireScope("read"),
  request: { params: idParams, body: jsonBody(createEmbedTokenSchema) },
  responses: { 201: jsonAnswer("The token", embedTokenSchema), ...problemResponses(400, 401, 403, 404, 503) },
});

export function viewLinksRoutes(deps: ViewLinksRoutesDeps): OpenAPIHono<HttpEnv> {
  const { postgres, tree, embedTokens, publicUrl, now = Date.now } = deps;
  const app = createRouter();

  app.openapi(createViewLinkRoute, async (c) => {
    const view = await ownDashboard(c);
    const { node: wanted, expires_in_days: days } = c.req.valid("json");
    const node = shownNode(c.get("actor"), tree, view, wanted);
    const by = { ...authorOf(c), kind: c.get("actor").kind };
    const { link, token } = await createViewLink(postgres, tree, { view: view.id, node, days }, by, now());
    c.header("cache-control", "no-store");
    return c.json({ ...describe(link, now(), false), url: `${publicUrl}/shared#${token}` }, 201);
  });

  app.openapi(listViewLinksRoute, async (c) => {
    const view = await ownDashboard(c);
    const links = await listViewLinks(postgres.db, view.id);
    const inForce = links.filter(({ revokedAt, expiresAt }) => !revokedAt && expiresAt.getTime() > now());
    const held = await heldLinks(deps, view, inForce, now());
    return c.json({ links: links.map((link) => describe(link, now(), held.has(link.id))) }, 200);
  });

  app.openapi(revokeViewLinkRoute, async (c) => {
    const view = await ownDashboard(c);
    const { link: id } = c.req.valid("param");
    const link = await revokeViewLink(postgres, { view: view.id, id }, authorOf(c), now());
    if (!link) throw noSuchLink();
    return c.json(describe(link, now(), false), 200);
  });

  app.openapi(createEmbedTokenRoute, async (c) => {
    const view = await ownDashboard(c);
    const actor = c.get("actor");
    if (actor.kind !== "key")
      throw new ProblemError("forbidden", "tokens are for servers with an API key; people share links instead");
    const { node: wanted, expires_in_minutes: minutes, theme = null, origins } = c.req.valid("json");
    checkOrigins(origins, publicUrl);
    const node = shownNode(actor, tree, view, wanted);
    const expiresMs = now() + minutes * minuteMs;
    const token = await embedTokens.sign({ view: view.id, node, key: actor.id, expiresMs, theme });
    c.header("cache-control", "no-store");
    const search = new URLSearchParams({
      ...(theme && theme.mode !== "system" && { theme: theme.mode }),
      ...(origins.length > 0 && { frame: await embedTokens.signOrigins(origins) }),
    });
    const url = `${publicUrl}/embed${search.size > 0 ? `?${search}` : ""}#${token}`;
    return c.json({ token, url, expires_at: new Date(expiresMs).toISOString() }, 201);
  });

  /** Throws `not_found` outside the caller's nodes, `conflict` where it is a question alone. */
  async function ownDashboard(c: Context<HttpEnv>): Promise<ViewRecord> {
    const view = withinReach(c.get("actor"), tree, await readView(postgres.db, c.req.param("id") ?? ""), "view");
    if (view.panels === null)
      throw new ProblemError("conflict", "only dashboards can be shared, and this view is not one");
    return view;
  }
  return app;
}

/** Throws `forbidden` outside the caller's nodes, `not_found` where there is none, `invalid_request` where the dashboard is not of a node above it. */
function shownNode(
  actor: Actor,
  tree: Pick<NodeTree, "get" | "isWithin">,
  view: ViewRecord,
  wanted: NodeAddress = view.node,
): NodeAddress {
  const node = resolveNode(actor, tree, wanted);
  if (!tree.isWithin(node, view.node))
    throw new ProblemError("invalid_request", `must be ${view.node}, which owns the dashboard, or a node below it`, {
      field: "node",
    });
  return node;
}

/** What comes without TLS can be changed on its way: such a page may frame only what comes so itself. */
function checkOrigins(origins: readonly string[], publicUrl: string): void {
  const isOpen = (origin: string) => {
    const { protocol, hostname } = new URL(origin);
    const isHere = hostname === "localhost" || isLoopback(hostname.replace(/^\[|\]$/g, ""));
    return protocol === "https:" || isHere || publicUrl.startsWith("http:");
  };
  const place = origins.findIndex((origin) => !isOpen(origin));
  if (place >= 0) throw new ProblemError("invalid_request", "must start with https:", { field: `origins.${place}` });
}

function describe(link: ViewLinkRecord, nowMs: number, isHeld: boolean): ViewLink {
  const { id, view, node, makerName, createdAt, expiresAt, lastUsedAt, revokedAt } = link;
  const hasExpired = expiresAt.getTime() <= nowMs;
  return {
    id,
    view,
    node,
    created_by: makerName,
    state: revokedAt ? "revoked" : hasExpired ? "expired" : isHeld ? "held" : "active",
    created_at: createdAt.toISOString(),
    expires_at: expiresAt.toISOString(),
    last_used_at: lastUsedAt?.toISOString() ?? null,
    revoked_at: revokedAt?.toISOString() ?? null,
  };
}
