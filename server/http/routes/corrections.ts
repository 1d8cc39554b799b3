/** GET /v1/events/{id} and its void and amend: one event, corrected on the record. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { EventRow } from "../../clickhouse/event-columns.ts";
import {
  amendEventSchema,
  type CorrectionAnswer,
  correctionLimits,
  correctionSchema,
  eventHistorySchema,
  eventQuerySchema,
  voidEventSchema,
} from "../../contract/corrections.ts";
import { limits } from "../../contract/events.ts";
import { parseInstant } from "../../contract/instant.ts";
import { nodeAddress } from "../../contract/node-address.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import { textSchema } from "../../contract/text.ts";
import { eventOfRow } from "../../corrections/amend-event.ts";
import type { Corrections } from "../../corrections/corrections.ts";
import type { Correction } from "../../corrections/record-correction.ts";
import { type BucketRate, TokenBuckets } from "../../fairness/token-buckets.ts";
import type { Actor } from "../../identity/actor.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { nameOfOthers, stoodWithin, type WasWithin, wasWithin } from "../../tree/past-owners.ts";
import { tenantOf } from "../../tree/tenant-of.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { entityTag, ifMatch } from "../entity-tag.ts";
import { answerExact, readExact } from "../exact-json.ts";
import type { HttpEnv } from "../http-env.ts";
import { jsonAnswer, jsonBody } from "../route-parts.ts";

interface CorrectionsRoutesDeps {
  corrections: Corrections;
  tree: NodeTree;
}

const rateOfTenant = {
  burst: correctionLimits.ofTenantPerMinute,
  perSecond: correctionLimits.ofTenantPerMinute / 60,
} as const satisfies BucketRate;

const idParam = z.object({ id: textSchema(limits.maxStringLength) });
const corrected = {
  200: jsonAnswer("The correction, already visible in queries", correctionSchema),
  202: jsonAnswer("The correction is recorded, and waits or is set aside", correctionSchema),
  ...problemResponses(400, 401, 403, 404, 409, 412, 422, 429, 503),
};

const getEventRoute = createRoute({
  method: "get",
  path: "/v1/events/{id}",
  operationId: "getEvent",
  tags: ["Events"],
  summary: "Get an event as it counts now, with all its corrections",
  middleware: requireScope("read"),
  request: { params: idParam, query: eventQuerySchema },
  responses: { 200: jsonAnswer("The event", eventHistorySchema), ...problemResponses(400, 401, 403, 404, 503) },
});

const voidEventRoute = createRoute({
  method: "post",
  path: "/v1/events/{id}/void",
  operationId: "voidEvent",
  tags: ["Events"],
  summary: "Void an event",
  description:
    "The event can be of any age. The caller must have had access to the organization for the whole time affected, and whoever had it then sees the change in their audit log. The event stays on record with the reason, and its ID cannot be used again. Voiding it again changes nothing and returns the first voiding, made by `somebody else` and without a reason if the organization was not the caller's at the time.",
  middleware: requireScope("events:correct"),
  request: { params: idParam, body: jsonBody(voidEventSchema) },
  responses: corrected,
});

const amendEventRoute = createRoute({
  method: "post",
  path: "/v1/events/{id}/amend",
  operationId: "amendEvent",
  tags: ["Events"],
  summary: "Amend an event",
  description:
    "The event can be of any age. The caller must have had access to the organization for the whole time affected, and the same checks apply as for new events. The original stays on record. The event can move in time, and to another of the caller's organizations.",
  middleware: requireScope("events:correct"),
  request: { params: idParam, body: jsonBody(amendEventSchema) },
  responses: corrected,
});

export function correctionsRoutes({ corrections, tree }: CorrectionsRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter({ bodies: "exact" });
  const buckets = new TokenBuckets();

  function countForTenant(organization: NodeAddress): void {
    const tenant = tenantOf(organization, tree);
    const missing = 1 - buckets.tokens(tenant, rateOfTenant);
    if (missing > 0)
      throw new ProblemError("too_fast", "too many corrections in a short time; wait, then try again", {
        retryAfterSeconds: Math.ceil(missing / rateOfTenant.perSecond),
      });
    buckets.take(tenant, rateOfTenant, 1);
  }

  async function correct(
    c: Context<HttpEnv>,
    id: string,
    asked: { organization: string; source?: string | undefined; time?: string | undefined; reason: string },
    changes: Record<string, unknown> | undefined,
  ) {
    const actor = c.get("actor");
    countForTenant(resolveNode(actor, tree, nodeAddress("organization", asked.organization), "organization"));
    const correction = await corrections.correct({
      organization: asked.organization,
      id,
      source: asked.source,
      timeMs: timeOf(asked.time),
      reason: asked.reason,
      changes,
      by: authorOf(c),
      mayMoveTo: (organization) =>
        void resolveNode(actor, tree, nodeAddress("organization", organization), "changes.organization"),
      mayChange: ({ organization, fromMs, toMs }) => {
        if (!stoodWithin(tree, actor.reach, nodeAddress("organization", organization), fromMs, toMs))
          throw new ProblemError("forbidden", "usage at that time belongs to nodes that are not the caller's", {
            field: changes?.time === undefined ? "id" : "changes.time",
          });
      },
      check: await ifMatch(c),
    });
    return answerExact(c, described(actor, correction), correction.appliedAt ? 200 : 202);
  }

  const described = (actor: Actor, one: Correction) =>
    describeCorrection(
      one,
      (row) => isWithinReach(actor, tree, nodeAddress("organization", row.organization)),
      wasWithin(tree, actor.reach),
    );

  app.openapi(getEventRoute, async (c) => {
    const { id } = c.req.valid("param");
    const { organization, source, time } = c.req.valid("query");
    const actor = c.get("actor");
    resolveNode(actor, tree, nodeAddress("organization", organization), "organization");
    const row = await corrections.find(organization, { id, source }, timeOf(time));
    const history = await corrections.history(organization, { id, source: row ? (row.source ?? "") : source });
    if (!row && history.length === 0) throw new ProblemError("not_found", "there is no such event", { field: "id" });
    if (row) c.header("etag", await entityTag(c, eventOfRow(row)));
    const corrected = history.map((one) => described(actor, one));
    return answerExact(c, { event: row ? shownRow(row) : null, corrections: corrected });
  });

  app.openapi(voidEventRoute, (c) => correct(c, c.req.valid("param").id, c.req.valid("json"), undefined));

  app.openapi(amendEventRoute, async (c) => {
    const asked = c.req.valid("json");
    const { changes } = await readExact<typeof asked>(c);
    return await correct(c, c.req.valid("param").id, asked, changes);
  });
  return app;
}

/** As the ingest reads an event's time: a leap second is one, a day that no calendar has is none. */
function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseInstant(text);
  if (Number.isNaN(ms)) throw new ProblemError("invalid_request", "is not a valid instant", { field: "time" });
  return ms;
}

const shownRow = (row: EventRow) => ({ ...eventOfRow(row), ...(row.source !== undefined && { source: row.source }) });

/** A correction as callers see it: where it moved an event to or from a node that they do not see, their own side alone. */
/** `wasWithin`: its reader's past, within which its author and their words are shown. */
export function describeCorrection(
  correction: Correction,
  isSeen: (row: EventRow) => boolean,
  wasWithin: WasWithin,
): CorrectionAnswer {
  const { id, action, reason, actorKind, actorId, actorName, at, appliedAt, before, after } = correction;
  const shown = (row: EventRow | null) => (row && isSeen(row) ? (shownRow(row) as CorrectionAnswer["after"]) : null);
  return {
    correction: id,
    action,
    ...(wasWithin(nodeAddress("organization", correction.organization), at)
      ? { reason, actor: { kind: actorKind, id: actorId, name: actorName } }
      : { reason: "", actor: { kind: actorKind, id: "", name: nameOfOthers } }),
    at: at.toISOString(),
    applied_at: appliedAt?.toISOString() ?? null,
    state: appliedAt ? "applied" : correction.failures > 0 ? "set_aside" : "waiting",
    before: shown(before),
    after: shown(after),
  };
}
