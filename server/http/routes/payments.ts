/** The payment of statements: set by the payee or a node above, and by signed messages of a payment provider. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import { adjustedUntil } from "../../billing/statements/adjust-statements.ts";
import type { StatementRow } from "../../billing/statements/close-statements.ts";
import { describeStatement } from "../../billing/statements/read-statements.ts";
import { paymentState, recordPayment } from "../../billing/statements/record-payment.ts";
import { signatureRefusal } from "../../billing/statements/verify-message.ts";
import {
  paymentMessageSchema,
  paymentReceiptSchema,
  setPaymentSchema,
  statementDetailSchema,
} from "../../contract/statements.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { createRouter, maxBodyBytes, problemResponses } from "../app-pieces.ts";
import { requireScope } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import { entityTag, ifMatch } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { readBody } from "../read-body.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";
import { sayWatermark } from "../say-watermark.ts";

interface PaymentsRoutesDeps {
  postgres: Postgres;
  tree: Pick<NodeTree, "get">;
  watermark: () => Date;
  /** They verify the messages; with none of them every message is refused. */
  paymentKeys: readonly Buffer[];
  now?: () => number;
}

/** How far a provider's clock may be ahead, as for the time of its signature. */
const maxClockSkewMs = 5 * 60_000;
const maxMessageBytes = 64 * 1024;
const messageHeaders = z.object({
  "webhook-id": z.string().min(1).max(256),
  "webhook-timestamp": z.string(),
  "webhook-signature": z.string(),
});

const recordPaymentRoute = createRoute({
  method: "post",
  path: "/v1/statements/{id}/payment",
  operationId: "recordPayment",
  tags: ["Billing"],
  summary: "Record the payment of a statement",
  description:
    "For callers who can write payments above the node that pays. open → paid, failed, void; paid → refunded, failed, open; failed → paid, open, void; void → open. Every change is kept.",
  middleware: requireScope("payments:write"),
  request: { params: idParams, body: jsonBody(setPaymentSchema) },
  responses: {
    200: jsonAnswer("The updated statement", statementDetailSchema),
    ...problemResponses(400, 401, 403, 404, 409, 412, 503),
  },
});

export function paymentsRoutes({
  postgres,
  tree,
  watermark,
  paymentKeys,
  now = Date.now,
}: PaymentsRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(recordPaymentRoute, async (c) => {
    const { reach, grants } = c.get("actor");
    const { status, at, reason = null, reference = null } = c.req.valid("json");
    const nowMs = now();
    const saidAt = at === undefined ? new Date(nowMs) : new Date(at);
    if (saidAt.getTime() > nowMs) throw liesAhead("at");
    const matches = await ifMatch(c);
    const check = (row: StatementRow) => {
      if (!row.path.some((node) => reach.includes(node)))
        throw new ProblemError("not_found", "there is no such statement");
      if (!row.path.slice(1).some((node) => reach.includes(node)))
        throw new ProblemError("forbidden", "the payer cannot set whether it has paid");
      matches(paymentState(row));
    };
    const { row } = await recordPayment(
      postgres,
      { statement: c.req.valid("param").id, status, at: saidAt, reason, reference, messageId: null },
      { by: authorOf(c), check, nowMs },
    );
    c.header("etag", await entityTag(c, paymentState(row)));
    const known = sayWatermark(c, await adjustedUntil({ postgres, watermark }));
    return c.json({ ...(await describeStatement(postgres.db, tree, { grants }, row)), watermark: known }, 200);
  });

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/payment-messages",
      operationId: "receivePaymentMessage",
      tags: ["Billing"],
      summary: "Receive a payment provider's webhook",
      description:
        "Signed as Standard Webhooks defines, with a secret from TIDEMARK_PAYMENT_SECRETS: HMAC-SHA256 over `id.timestamp.body`, at most 5 minutes old. Each message ID is processed once. A message about an earlier time than the last one changes nothing; one from the future is refused; one whose status cannot follow yet gets 409, so that it is sent again.",
      security: [],
      middleware: genuine(paymentKeys, now),
      [maxBodyBytes]: maxMessageBytes,
      request: { headers: messageHeaders, body: jsonBody(paymentMessageSchema) },
      responses: {
        200: jsonAnswer("The message was processed", paymentReceiptSchema),
        ...problemResponses(400, 401, 404, 409, 413, 503),
      },
    }),
    async (c) => {
      const { statement, status, at, reason = null, reference = null } = c.req.valid("json").data;
      const { "webhook-id": messageId, "webhook-timestamp": seconds } = c.req.valid("header");
      const nowMs = now();
      const statedMs = at === undefined ? Number(seconds) * 1000 : Date.parse(at);
      if (statedMs > nowMs + maxClockSkewMs) throw liesAhead("data.at");
      const saidAt = new Date(Math.min(statedMs, nowMs));
      const name = "Payment provider";
      const { row, isDuplicate } = await recordPayment(
        postgres,
        { statement, status, at: saidAt, reason, reference, messageId },
        {
          by: { kind: "system", id: "payment-provider", name, address: c.get("client")().address ?? null },
          check: () => undefined,
          nowMs,
        },
      );
      return c.json({ statement, status: row.paymentStatus, duplicate: isDuplicate }, 200);
    },
  );
  return app;
}

const liesAhead = (field: string) => new ProblemError("invalid_request", "must not be in the future", { field });

/** The text is read before anything parses it: what is signed is its bytes. */
function genuine(paymentKeys: readonly Buffer[], now: () => number) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const message = {
      id: c.req.header("webhook-id") ?? "",
      timestamp: c.req.header("webhook-timestamp") ?? "",
      signature: c.req.header("webhook-signature") ?? "",
      body: (await readBody(c, maxMessageBytes)).toString("utf8"),
    };
    const refusal =
      paymentKeys.length === 0
        ? "no secret is set in TIDEMARK_PAYMENT_SECRETS"
        : signatureRefusal(message, paymentKeys, now());
    if (refusal !== undefined) throw new ProblemError("unauthenticated", refusal);
    await next();
  });
}
