/** The cases of the routes of nodes. */
import { askedAbout, inside } from "../../support/isolation-world.ts";
import type { RouteCase } from "./route-case.ts";

export const nodeCases: RouteCase[] = [
  { route: "GET /v1/nodes", needs: "read", allowed: 200, elsewhere: "nothing" },
  {
    route: "GET /v1/nodes/{node}",
    needs: "read",
    request: () => ({ path: `/v1/nodes/${inside}` }),
    allowed: 200,
    elsewhere: 403,
  },
  {
    route: "POST /v1/nodes",
    needs: "nodes:write",
    request: () => ({ body: { kind: "organization", id: "inside-9f3c", parent: askedAbout } }),
    allowed: 200,
    elsewhere: 403,
  },
  {
    route: "PATCH /v1/nodes/{node}",
    needs: "nodes:write",
    request: () => ({ path: `/v1/nodes/${inside}`, body: { fields: { seen: true } } }),
    allowed: 200,
    elsewhere: 403,
  },
  {
    route: "POST /v1/nodes/import",
    needs: "nodes:write",
    request: () => ({
      body: `kind,id,parent\norganization,inside-9f3c,${askedAbout}`,
      headers: { "content-type": "text/csv" },
    }),
    allowed: 200,
    elsewhere: 422,
  },
];
