/** /v1/unsubscribe/{token}: the link of a mail that ends it. Mail programs POST to it by themselves; a person is asked first. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { escapeHtml } from "../../delivery/inert-text.ts";
import {
  readUnsubscribeLinks,
  type Subscription,
  subscribeAgain,
  type UnsubscribeLinks,
  unsubscribe,
} from "../../delivery/unsubscribe.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import type { HttpEnv } from "../http-env.ts";

const tokenParams = z.object({ token: z.string().max(1_000).describe("The token from the email") });
const page = { "text/html": { schema: z.string() } };

const showUnsubscribeRoute = createRoute({
  method: "get",
  path: "/v1/unsubscribe/{token}",
  operationId: "showUnsubscribe",
  tags: ["Alerts"],
  summary: "Ask whether to unsubscribe",
  description: "Changes nothing, because mail programs follow links by themselves.",
  // Mail programs and gateways add parameters to links, and whoever follows one must still be able to leave.
  request: { params: tokenParams, query: z.looseObject({}) },
  responses: { 200: { description: "A page with one button", content: page }, ...problemResponses(404, 503) },
});

const setUnsubscribedRoute = createRoute({
  method: "post",
  path: "/v1/unsubscribe/{token}",
  operationId: "setUnsubscribed",
  tags: ["Alerts"],
  summary: "Unsubscribe an address, or subscribe it again",
  description: "One click, as RFC 8058 defines. Repeating it changes nothing.",
  request: {
    params: tokenParams,
    query: z.strictObject({ again: z.literal("true").optional().describe("Subscribes the address again") }),
  },
  responses: { 200: { description: "Done", content: page }, ...problemResponses(404, 503) },
});

export function unsubscribeRoutes({
  postgres,
  tree,
}: {
  postgres: Postgres;
  tree: Pick<NodeTree, "ancestors">;
}): OpenAPIHono<HttpEnv> {
  const app = createRouter();
  let links: Promise<UnsubscribeLinks> | undefined;

  async function subscriptionOf(token: string): Promise<Subscription> {
    links ??= readUnsubscribeLinks(postgres).catch((error: unknown) => {
      links = undefined;
      throw error;
    });
    const found = (await links).read(token);
    if (!found) throw new ProblemError("not_found", "this link is not valid, or part of it is missing");
    return found;
  }

  app.openapi(showUnsubscribeRoute, async (c) => {
    const { address } = await subscriptionOf(c.req.valid("param").token);
    return c.html(pageOf(`Unsubscribe ${address} from these emails?`, "", "Unsubscribe"), 200);
  });

  app.openapi(setUnsubscribedRoute, async (c) => {
    const subscription = await subscriptionOf(c.req.valid("param").token);
    const { address } = subscription;
    if (c.req.valid("query").again) {
      await subscribeAgain(postgres, subscription);
      return c.html(pageOf(`${address} will receive these emails again.`, "?", "Unsubscribe"), 200);
    }
    await unsubscribe(postgres, tree, subscription);
    return c.html(pageOf(`${address} has been unsubscribed from these emails.`, "?again=true", "Subscribe again"), 200);
  });
  return app;
}

/** `query`: of the button's address, which is this page's otherwise. */
function pageOf(message: string, query: string, button: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>Mails of Tidemark</title>
<style>
:root { color-scheme: light dark; }
body { max-width: 32rem; margin: 4rem auto; padding: 0 1rem; font: 16px/1.5 Inter, system-ui, sans-serif; }
button { padding: 0.6rem 1rem; border: 0; border-radius: 8px; background: #0f766e; color: #ffffff; font: inherit; cursor: pointer; }
</style>
</head>
<body>
<h1>Tidemark</h1>
<p>${escapeHtml(message)}</p>
<form method="post" action="${query}"><button>${escapeHtml(button)}</button></form>
</body>
</html>
`;
}
