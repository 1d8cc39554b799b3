/** API keys of the caller's subtree. No key ever gives more than its maker has. */

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import {
  type CreateKey,
  changeKeySchema,
  createdKeySchema,
  createKeySchema,
  type Key,
  keyListSchema,
  keySchema,
  rotateKeySchema,
} from "../../contract/accounts.ts";
import { pagedQuerySchema } from "../../contract/cursors.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import type { Actor } from "../../identity/actor.ts";
import { type KeyRecord, type Keys, stateOfKey } from "../../identity/keys.ts";
import { actionsOfKey, can, canAll } from "../../identity/permissions.ts";
import { readCursor, timedKeySchema, writeCursor } from "../../lists/cursor.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode, withinReach } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { answerTagged, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";

const keyTable = listTable("keys", keySchema);

const listKeysRoute = createRoute({
  method: "get",
  path: "/v1/keys",
  operationId: "listKeys",
  tags: ["Keys"],
  summary: "List API keys, including revoked ones",
  description: "Oldest first.",
  middleware: requireScope("keys:write"),
  request: { query: pagedQuerySchema },
  responses: { 200: listed("All keys", keyListSchema, keySchema), ...problemResponses(400, 401, 403, 503) },
});

const createKeyRoute = createRoute({
  method: "post",
  path: "/v1/keys",
  operationId: "createKey",
  tags: ["Keys"],
  summary: "Create an API key",
  description: "The answer contains the key itself, shown only once.",
  middleware: requireScope("keys:write"),
  request: { body: jsonBody(createKeySchema) },
  responses: { 201: jsonAnswer("The new key", createdKeySchema), ...problemResponses(400, 401, 403, 404, 409, 503) },
});

const getKeyRoute = createRoute({
  method: "get",
  path: "/v1/keys/{id}",
  operationId: "getKey",
  tags: ["Keys"],
  summary: "Get an API key",
  description: "The key itself is shown only when it is created.",
  middleware: requireScope("keys:write"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The key", keySchema), ...problemResponses(401, 403, 404, 503) },
});

const updateKeyRoute = createRoute({
  method: "patch",
  path: "/v1/keys/{id}",
  operationId: "updateKey",
  tags: ["Keys"],
  summary: "Rename an API key",
  description: "Its permissions cannot change: create another key for others.",
  middleware: requireScope("keys:write"),
  request: { params: idParams, body: jsonBody(changeKeySchema) },
  responses: { 200: jsonAnswer("The key now", keySchema), ...problemResponses(400, 401, 403, 404, 412, 503) },
});

const rotateKeyRoute = createRoute({
  method: "post",
  path: "/v1/keys/{id}/rotate",
  operationId: "rotateKey",
  tags: ["Keys"],
  summary: "Rotate an API key",
  description:
    "Both keys work during the overlap; then the old one expires. The answer contains the new key, shown only once.",
  middleware: requireScope("keys:write"),
  request: { params: idParams, body: jsonBody(rotateKeySchema) },
  responses: {
    201: jsonAnswer("The new key", createdKeySchema),
    ...problemResponses(400, 401, 403, 404, 409, 412, 422, 503),
  },
});

const revokeKeyRoute = createRoute({
  method: "delete",
  path: "/v1/keys/{id}",
  operationId: "revokeKey",
  tags: ["Keys"],
  summary: "Revoke an API key",
  description:
    "The key is refused everywhere within five seconds, and its live connections are closed. Revoking it again changes nothing.",
  middleware: requireScope("keys:write"),
  request: { params: idParams },
  responses: { 200: jsonAnswer("The revoked key", keySchema), ...problemResponses(401, 403, 404, 412, 503) },
});

export function keysRoutes({ keys, tree }: { keys: Keys; tree: NodeTree }): OpenAPIHono<HttpEnv> {
  const app = createRouter();
  const ownKey = async (actor: Actor, id: string) => withinReach(actor, tree, await keys.get(id), "key");

  app.openapi(listKeysRoute, async (c) => {
    const asked = { list: "keys" };
    return await answerList(c, keyTable, c.req.valid("query"), async ({ cursor, limit }) => {
      const after = readCursor(cursor, asked, timedKeySchema);
      const { page, last } = pageOf(await keys.list(c.get("actor").reach, tree, { after, limit: limit + 1 }), limit);
      const next_cursor = last ? writeCursor(asked, { atMs: last.createdAt.getTime(), id: last.id }) : null;
      return { keys: page.map(describe), next_cursor };
    });
  });

  app.openapi(createKeyRoute, async (c) => {
    const wanted = c.req.valid("json");
    const actor = c.get("actor");
    const node = resolveNode(actor, tree, wanted.node);
    const made = { name: wanted.name, node, ...rightsWithin(actor, node, tree, wanted), createdBy: actor.id };
    const { record, key } = await keys.create(made, authorOf(c), tree);
    c.header("cache-control", "no-store");
    return await answerTagged(c, stateOfKey(record), { ...describe(record), key }, 201);
  });

  app.openapi(getKeyRoute, async (c) => {
    const found = await ownKey(c.get("actor"), c.req.valid("param").id);
    return await answerTagged(c, stateOfKey(found), describe(found), 200);
  });

  app.openapi(updateKeyRoute, async (c) => {
    const { id } = await ownKey(c.get("actor"), c.req.valid("param").id);
    const edit = { by: authorOf(c), check: await ifMatch(c) };
    const renamed = await keys.rename(id, c.req.valid("json").name, edit);
    if (!renamed) throw new ProblemError("not_found", "there is no such key");
    return await answerTagged(c, stateOfKey(renamed), describe(renamed), 200);
  });

  app.openapi(rotateKeyRoute, async (c) => {
    const { overlap_seconds, expires_at } = c.req.valid("json");
    const actor = c.get("actor");
    const { id } = c.req.valid("param");
    const old = await ownKey(actor, id);
    const nowMs = Date.now();
    const lifetimeMs = old.expiresAt && old.expiresAt.getTime() - old.createdAt.getTime();
    const wanted = {
      name: old.name,
      scopes: old.scopes,
      create_organizations: old.createOrganizations,
      see_prices: old.seePrices,
      expires_at: expires_at ?? (lifetimeMs === null ? undefined : new Date(nowMs + lifetimeMs).toISOString()),
    };
    const rights = rightsWithin(actor, old.node, tree, wanted);
    const rotated = await keys.rotate(
      id,
      {
        wanted: { name: old.name, node: old.node, ...rights, createdBy: actor.id },
        oldEndsAt: new Date(nowMs + overlap_seconds * 1000),
        tree,
      },
      { by: authorOf(c), check: await ifMatch(c) },
    );
    if (!rotated)
      throw new ProblemError("conflict", "the key has expired or was revoked; create a new one", { field: "id" });
    c.header("cache-control", "no-store");
    return await answerTagged(c, stateOfKey(rotated.record), { ...describe(rotated.record), key: rotated.key }, 201);
  });

  app.openapi(revokeKeyRoute, async (c) => {
    const { id } = await ownKey(c.get("actor"), c.req.valid("param").id);
    await keys.revoke(id, { by: authorOf(c), check: await ifMatch(c) });
    return c.json(describe(await ownKey(c.get("actor"), id)), 200);
  });
  return app;
}

/** Throws `forbidden` where more is wanted than the maker has; what is left open becomes what the maker has. */
function rightsWithin(actor: Actor, node: NodeAddress, tree: NodeTree, wanted: CreateKey) {
  const scopes = [...new Set(wanted.scopes)];
  const missing = scopes.find((scope) => !canAll(actor, actionsOfKey([scope], false), node, tree));
  if (missing)
    throw new ProblemError("forbidden", `the caller does not have the scope \`${missing}\``, { field: "scopes" });
  const maySeePrices = can(actor, "prices:read", node, tree);
  if (wanted.see_prices && !maySeePrices)
    throw new ProblemError("forbidden", "the caller cannot see prices", { field: "see_prices" });
  const seePrices = wanted.see_prices ?? (maySeePrices && scopes.includes("admin"));
  if (!canAll(actor, actionsOfKey(scopes, seePrices), node, tree))
    throw new ProblemError("forbidden", "the key would have more permissions than the caller", { field: "scopes" });
  if (wanted.create_organizations && !actor.createOrganizations)
    throw new ProblemError("forbidden", "the caller cannot create organizations", { field: "create_organizations" });
  const latest = actor.expiresAtMs;
  const expiresAtMs = wanted.expires_at === undefined ? latest : Date.parse(wanted.expires_at);
  if (expiresAtMs !== undefined && latest !== undefined && expiresAtMs > latest)
    throw new ProblemError("forbidden", "the key would outlive the one that creates it", { field: "expires_at" });
  if (expiresAtMs !== undefined && expiresAtMs <= Date.now())
    throw new ProblemError("invalid_request", "must be in the future", { field: "expires_at" });
  return {
    scopes,
    seePrices,
    createOrganizations: wanted.create_organizations ?? actor.createOrganizations,
    expiresAt: expiresAtMs === undefined ? null : new Date(expiresAtMs),
  };
}

function describe(record: KeyRecord): Key {
  return {
    id: record.id,
    name: record.name,
    node: record.node,
    scopes: record.scopes,
    create_organizations: record.createOrganizations,
    see_prices: record.seePrices,
    prefix: record.prefix,
    created_at: record.createdAt.toISOString(),
    last_used_at: record.lastUsedAt?.toISOString() ?? null,
    last_used_address: record.lastUsedAddress,
    expires_at: record.expiresAt?.toISOString() ?? null,
    revoked_at: record.revokedAt?.toISOString() ?? null,
  };
}
