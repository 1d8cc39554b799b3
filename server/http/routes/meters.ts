/** Meters: the built-in ones, and the custom ones that users make. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { meters } from "../../catalog/built-in-meters.ts";
import {
  type CustomMeterAnswer,
  changeMeterSchema,
  createMeterSchema,
  customMeterSchema,
  meterListSchema,
  meterSchema,
} from "../../contract/meters.ts";
import { type NodeAddress, nodeAddressSchema } from "../../contract/nodes.ts";
import type { Actor } from "../../identity/actor.ts";
import type { CustomMeters } from "../../meters/custom-meters.ts";
import { describeMeter } from "../../meters/describe-meter.ts";
import type { MeterVersion } from "../../meters/meter-versions.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { nameOfOthers, type WasWithin, wasWithin } from "../../tree/past-owners.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { answerTagged, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { jsonAnswer, jsonBody } from "../route-parts.ts";

const nameParam = z.object({ meter: z.string().max(64) });
const ownerQuery = z.strictObject({
  node: nodeAddressSchema
    .optional()
    .describe("The node it belongs to; required if several nodes below have a meter with this name"),
});

const meterTable = listTable("meters", meterSchema);

const listMetersRoute = createRoute({
  method: "get",
  path: "/v1/meters",
  operationId: "listMeters",
  tags: ["Meters"],
  summary: "List meters",
  middleware: requireScope("read"),
  request: { query: z.strictObject({ node: nodeAddressSchema.optional().describe("Defaults to the caller's node") }) },
  responses: {
    200: listed(
      "Built-in meters, and those that users created for this node or one above it",
      meterListSchema,
      meterSchema,
    ),
    ...problemResponses(400, 401, 403, 404),
  },
});

const createMeterRoute = createRoute({
  method: "post",
  path: "/v1/meters",
  operationId: "createMeter",
  tags: ["Meters"],
  summary: "Create a meter",
  description:
    "Counts events of any types, or is a formula of other meters. It is calculated from the events themselves, so it covers the whole past right away.",
  middleware: requireScope("meters:write"),
  request: { body: jsonBody(createMeterSchema) },
  responses: {
    201: jsonAnswer("The new meter", customMeterSchema),
    ...problemResponses(400, 401, 403, 404, 409, 422, 503),
  },
});

const getMeterRoute = createRoute({
  method: "get",
  path: "/v1/meters/{meter}",
  operationId: "getMeter",
  tags: ["Meters"],
  summary: "Get a custom meter with all its versions",
  middleware: requireScope("read"),
  request: { params: nameParam, query: ownerQuery },
  responses: { 200: jsonAnswer("The meter", customMeterSchema), ...problemResponses(400, 401, 403, 404) },
});

const updateMeterRoute = createRoute({
  method: "patch",
  path: "/v1/meters/{meter}",
  operationId: "updateMeter",
  tags: ["Meters"],
  summary: "Add a version to a meter",
  description:
    "Earlier versions are kept: `meter=name@1` requests that one. A query uses the newest version that takes effect before its range ends.",
  middleware: requireScope("meters:write"),
  request: { params: nameParam, query: ownerQuery, body: jsonBody(changeMeterSchema) },
  responses: {
    200: jsonAnswer("The updated meter", customMeterSchema),
    ...problemResponses(400, 401, 403, 404, 409, 412, 422, 503),
  },
});

const deleteMeterRoute = createRoute({
  method: "delete",
  path: "/v1/meters/{meter}",
  operationId: "deleteMeter",
  tags: ["Meters"],
  summary: "Retire a meter",
  description:
    "It can no longer be queried, and its name cannot be used again. Its events are kept. Refused while another meter depends on it, or a plan measured by it has subscribers or is still to be charged.",
  middleware: requireScope("meters:write"),
  request: { params: nameParam, query: ownerQuery },
  responses: {
    200: jsonAnswer("The retired meter", customMeterSchema),
    ...problemResponses(400, 401, 403, 404, 409, 412, 422, 503),
  },
});

export function metersRoutes({
  customMeters,
  tree,
}: {
  customMeters: CustomMeters;
  tree: NodeTree;
}): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(listMetersRoute, async (c) => {
    const node = resolveNode(c.get("actor"), tree, c.req.valid("query").node);
    const own = customMeters
      .listFor(node)
      .map((meter) => describeMeter(meter, customMeters.ownerFor(meter.meter, node)));
    return await answerList(c, meterTable, {}, async () => ({
      meters: [...meters.map((meter) => describeMeter(meter, null)), ...own],
    }));
  });

  app.openapi(createMeterRoute, async (c) => {
    const { meter, node: requested, ...definition } = c.req.valid("json");
    const node = resolveNode(c.get("actor"), tree, requested);
    await customMeters.create(meter, node, definition, authorOf(c));
    return await answer(c, customMeters.versionsOf(meter, node), 201);
  });

  /** The caller's meter by that name, of the node that is asked for or the only one. */
  function ownedBy(actor: Actor, { meter }: { meter: string }, { node }: { node?: string | undefined }): NodeAddress {
    const asked = node === undefined ? undefined : resolveNode(actor, tree, node);
    const owners = customMeters
      .ownersOf(meter)
      .filter((owner) => (asked === undefined ? isWithinReach(actor, tree, owner) : owner === asked));
    const [owner] = owners;
    if (owner === undefined) throw new ProblemError("not_found", "there is no custom meter with this name");
    if (owners.length > 1)
      throw new ProblemError("invalid_request", "several nodes have a meter with this name; set `node`", {
        field: "node",
      });
    return owner;
  }

  async function answer<S extends 200 | 201>(
    c: Context<HttpEnv>,
    versions: readonly MeterVersion[] | undefined,
    status: S,
  ) {
    const [newest] = versions ?? [];
    if (!newest) throw new ProblemError("not_found", "there is no custom meter with this name");
    return await answerTagged(c, stateOf(newest), describe(versions, wasWithin(tree, c.get("actor").reach)), status);
  }

  app.openapi(getMeterRoute, async (c) => {
    const node = ownedBy(c.get("actor"), c.req.valid("param"), c.req.valid("query"));
    return await answer(c, customMeters.versionsOf(c.req.valid("param").meter, node), 200);
  });

  app.openapi(updateMeterRoute, async (c) => {
    const { meter } = c.req.valid("param");
    const node = ownedBy(c.get("actor"), { meter }, c.req.valid("query"));
    await customMeters.change(meter, node, c.req.valid("json"), await editOf(c));
    return await answer(c, customMeters.versionsOf(meter, node), 200);
  });

  app.openapi(deleteMeterRoute, async (c) => {
    const { meter } = c.req.valid("param");
    const node = ownedBy(c.get("actor"), { meter }, c.req.valid("query"));
    await customMeters.retire(meter, node, await editOf(c));
    return await answer(c, customMeters.versionsOf(meter, node), 200);
  });
  return app;
}

/** What an `ETag` of a meter is made of. */
const stateOf = ({ meter, node, version, retiredAt }: MeterVersion) => ({ meter, node, version, retiredAt });

async function editOf(c: Context<HttpEnv>) {
  const check = await ifMatch(c);
  return { by: authorOf(c), check: (newest: MeterVersion) => check(stateOf(newest)) };
}

function describe(versions: readonly MeterVersion[] | undefined, wasWithin: WasWithin): CustomMeterAnswer {
  const [newest] = versions ?? [];
  if (!versions || !newest) throw new ProblemError("not_found", "there is no custom meter with this name");
  return {
    meter: newest.meter,
    node: newest.node,
    versions: versions.map(({ version, effectiveFrom, createdAt, createdBy, definition }) => ({
      version,
      effective_from: effectiveFrom?.toISOString() ?? null,
      created_at: createdAt.toISOString(),
      created_by: wasWithin(newest.node, createdAt) ? createdBy : nameOfOthers,
      title: definition.title,
      unit: definition.unit,
      description: definition.description,
      ...(definition.events && { events: definition.events }),
      ...(definition.formula !== undefined && { formula: definition.formula }),
    })),
    retired_at: newest.retiredAt?.toISOString() ?? null,
  };
}
