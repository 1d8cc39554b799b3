/** Meters: what can be asked for, and those that users make. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { NodeTree } from "../../accounts/node-tree.ts";
import { meters } from "../../catalog/catalog.ts";
import {
  changeMeterSchema,
  createMeterSchema,
  meterSchema,
  type OwnMeterAnswer,
  ownMeterSchema,
} from "../../contract/meters.ts";
import { nodeAddressSchema } from "../../contract/nodes.ts";
import { describeMeter } from "../../meters/describe-meter.ts";
import type { MeterVersion, OwnMeters } from "../../meters/own-meters.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import type { HttpEnv } from "../http-env.ts";
import { ProblemError } from "../problem-error.ts";

const nameParam = z.object({ meter: z.string().max(64) });

export function metersRoutes({ ownMeters, tree }: { ownMeters: OwnMeters; tree: NodeTree }): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/meters",
      summary: "The meters that usage can be asked for",
      middleware: requireScope("read"),
      request: {
        query: z.strictObject({ node: nodeAddressSchema.optional().describe("Defaults to the caller's node") }),
      },
      responses: {
        200: {
          description: "Built-in meters, and those that users made for this node or one above it",
          content: { "application/json": { schema: z.object({ meters: z.array(meterSchema) }) } },
        },
        ...problemResponses(400, 401, 403, 404),
      },
    }),
    (c) => {
      const node = resolveNode(c.get("actor"), tree, c.req.valid("query").node);
      const own = ownMeters
        .listFor(node)
        .map((meter) => describeMeter(meter, ownMeters.versionsOf(meter.meter)?.[0]?.node ?? null));
      return c.json({ meters: [...meters.map((meter) => describeMeter(meter, null)), ...own] }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/meters",
      summary: "Make a meter",
      description:
        "Of event types of any name, or as a formula over other meters. It is answered from the events themselves, so it knows the whole past at once.",
      middleware: requireScope("meters:write"),
      request: { body: { required: true, content: { "application/json": { schema: createMeterSchema } } } },
      responses: {
        201: { description: "The new meter", content: { "application/json": { schema: ownMeterSchema } } },
        ...problemResponses(400, 401, 403, 404, 409, 422, 503),
      },
    }),
    async (c) => {
      const { meter, node: requested, ...definition } = c.req.valid("json");
      const node = resolveNode(c.get("actor"), tree, requested);
      await ownMeters.create(meter, node, definition, authorOf(c));
      return c.json(describe(ownMeters.versionsOf(meter)), 201);
    },
  );

  const ownedBy = (actor: Parameters<typeof isWithinReach>[0], meter: string): readonly MeterVersion[] => {
    const versions = ownMeters.versionsOf(meter);
    const [newest] = versions ?? [];
    if (!versions || !newest || !isWithinReach(actor, tree, newest.node))
      throw new ProblemError("not_found", "there is no such meter that users made");
    return versions;
  };

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/meters/{meter}",
      summary: "A meter that users made, with all its versions",
      middleware: requireScope("read"),
      request: { params: nameParam },
      responses: {
        200: { description: "The meter", content: { "application/json": { schema: ownMeterSchema } } },
        ...problemResponses(401, 403, 404),
      },
    }),
    (c) => c.json(describe(ownedBy(c.get("actor"), c.req.valid("param").meter)), 200),
  );

  app.openapi(
    createRoute({
      method: "patch",
      path: "/v1/meters/{meter}",
      summary: "Give a meter a new version",
      description:
        "The versions before stay: `meter=name@1` asks for that one. A question is answered by the newest version that is effective before its range ends.",
      middleware: requireScope("meters:write"),
      request: {
        params: nameParam,
        body: { required: true, content: { "application/json": { schema: changeMeterSchema } } },
      },
      responses: {
        200: { description: "The meter", content: { "application/json": { schema: ownMeterSchema } } },
        ...problemResponses(400, 401, 403, 404, 409, 422, 503),
      },
    }),
    async (c) => {
      const { meter } = c.req.valid("param");
      ownedBy(c.get("actor"), meter);
      await ownMeters.change(meter, c.req.valid("json"), authorOf(c));
      return c.json(describe(ownMeters.versionsOf(meter)), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/v1/meters/{meter}",
      summary: "Retire a meter",
      description: "No question is answered by it any more; its name stays taken. Its events stay.",
      middleware: requireScope("meters:write"),
      request: { params: nameParam },
      responses: {
        200: { description: "The retired meter", content: { "application/json": { schema: ownMeterSchema } } },
        ...problemResponses(401, 403, 404, 409, 422, 503),
      },
    }),
    async (c) => {
      const { meter } = c.req.valid("param");
      ownedBy(c.get("actor"), meter);
      await ownMeters.retire(meter, authorOf(c));
      return c.json(describe(ownMeters.versionsOf(meter)), 200);
    },
  );
  return app;
}

function describe(versions: readonly MeterVersion[] | undefined): OwnMeterAnswer {
  const [newest] = versions ?? [];
  if (!versions || !newest) throw new ProblemError("not_found", "there is no such meter that users made");
  return {
    meter: newest.meter,
    node: newest.node,
    versions: versions.map(({ version, effectiveFrom, createdAt, createdBy, definition }) => ({
      version,
      effective_from: effectiveFrom?.toISOString() ?? null,
      created_at: createdAt.toISOString(),
      created_by: createdBy,
      title: definition.title,
      unit: definition.unit,
      description: definition.description,
      ...(definition.events && { events: definition.events }),
      ...(definition.formula !== undefined && { formula: definition.formula }),
    })),
    retired_at: newest.retiredAt?.toISOString() ?? null,
  };
}
