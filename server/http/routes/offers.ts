/** The roles that one is offered: accepting or declining them. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { acceptOfferSchema, type RoleOffer, roleOfferListSchema } from "../../contract/users.ts";
import { acceptOffer, declineOffer, offersOf } from "../../identity/role-offers.ts";
import type { SignInSessions } from "../../identity/sign-in-sessions.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { authorOf } from "../author-of.ts";
import type { HttpEnv } from "../http-env.ts";
import { ofUser } from "../own-account.ts";
import { idParams, jsonAnswer, jsonBody } from "../route-parts.ts";

interface OffersRoutesDeps {
  postgres: Postgres;
  signInSessions: SignInSessions;
  now?: () => number;
}

const listMyOffersRoute = createRoute({
  method: "get",
  path: "/v1/me/offers",
  operationId: "listMyOffers",
  tags: ["Account"],
  summary: "List the roles offered to you",
  middleware: ofUser,
  responses: { 200: jsonAnswer("Newest first", roleOfferListSchema), ...problemResponses(401, 403, 503) },
});

const acceptOfferRoute = createRoute({
  method: "post",
  path: "/v1/me/offers/{id}/accept",
  operationId: "acceptOffer",
  tags: ["Account"],
  summary: "Accept offered roles",
  middleware: ofUser,
  request: { params: idParams, body: jsonBody(acceptOfferSchema) },
  responses: { 204: { description: "The roles were accepted" }, ...problemResponses(400, 401, 403, 404, 422, 503) },
});

const declineOfferRoute = createRoute({
  method: "delete",
  path: "/v1/me/offers/{id}",
  operationId: "declineOffer",
  tags: ["Account"],
  summary: "Decline offered roles",
  middleware: ofUser,
  request: { params: idParams },
  responses: { 204: { description: "Declined" }, ...problemResponses(401, 403, 404, 422, 503) },
});

export function offersRoutes({ postgres, signInSessions, now = Date.now }: OffersRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(listMyOffersRoute, async (c) =>
    c.json({ offers: (await offersOf(postgres, c.get("actor").id, now())).map(describe) }, 200),
  );

  app.openapi(acceptOfferRoute, async (c) => {
    const answer = { userId: c.get("actor").id, id: c.req.valid("param").id, by: authorOf(c), nowMs: now() };
    const accepted = await acceptOffer(postgres, { ...answer, token: c.req.valid("json").token });
    if (accepted === undefined) throw noSuchOffer();
    if (accepted === "link_needed")
      throw new ProblemError(
        "forbidden",
        "open the link in the invitation email: nothing proves yet that this address is yours",
        {
          field: "token",
        },
      );
    signInSessions.forget();
    return c.body(null, 204);
  });

  app.openapi(declineOfferRoute, async (c) => {
    const answer = { userId: c.get("actor").id, id: c.req.valid("param").id, by: authorOf(c), nowMs: now() };
    if (!(await declineOffer(postgres, answer))) throw noSuchOffer();
    return c.body(null, 204);
  });
  return app;
}

const noSuchOffer = () => new ProblemError("not_found", "there is no such offer");

function describe({
  id,
  roles,
  offeredBy,
  createdAt,
  expiresAt,
  needsLink,
}: Awaited<ReturnType<typeof offersOf>>[number]): RoleOffer {
  return {
    id,
    roles,
    offered_by: offeredBy.name,
    created_at: createdAt.toISOString(),
    expires_at: expiresAt.toISOString(),
    needs_link: needsLink,
  };
}
