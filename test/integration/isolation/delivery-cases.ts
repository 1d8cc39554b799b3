/** Channels and deliveries. */
import { system } from "../../../server/audit/record-change.ts";
import { createChannel } from "../../../server/delivery/channels.ts";
import { testChannel } from "../../../server/delivery/test-channel.ts";
import { readUnsubscribeLinks } from "../../../server/delivery/unsubscribe.ts";
import { inside, type World } from "../../support/isolation-world.ts";
import { listWith, ofOne, type RouteCase } from "./route-case.ts";

async function channelAt({ deps }: World): Promise<string> {
  const wanted = {
    kind: "webhook",
    name: "Operations",
    node: inside,
    enabled: true,
    url: "https://hooks.example.com/",
  };
  const { row } = await createChannel(deps, wanted as Parameters<typeof createChannel>[1], system);
  return row.id;
}

async function deliveryAt(world: World): Promise<string> {
  const [id = ""] = await testChannel({ ...world.deps, publicUrl: "http://localhost" }, await channelAt(world));
  return id;
}

const onChannel = (method: string, path: string, needs: "read" | "rules:write", allowed: number): RouteCase => ({
  route: `${method} ${path}`,
  needs,
  request: async (world) => ({
    path: path.replace("{id}", await channelAt(world)),
    ...(method === "PATCH" && { body: { name: "Renamed" } }),
  }),
  allowed,
  elsewhere: 404,
});

export const deliveryCases: RouteCase[] = [
  listWith("GET /v1/channels", "read", channelAt),
  {
    route: "POST /v1/channels",
    needs: "rules:write",
    request: () => ({ body: { kind: "email", name: "Mail", node: inside, to: ["ops@example.com"] } }),
    allowed: 201,
    elsewhere: 403,
  },
  onChannel("GET", "/v1/channels/{id}", "read", 200),
  onChannel("PATCH", "/v1/channels/{id}", "rules:write", 200),
  onChannel("DELETE", "/v1/channels/{id}", "rules:write", 204),
  onChannel("POST", "/v1/channels/{id}/rotate-secret", "rules:write", 200),
  onChannel("POST", "/v1/channels/{id}/test", "rules:write", 202),
  listWith("GET /v1/deliveries", "read", deliveryAt),
  ofOne("GET /v1/deliveries/{id}", "read", 200, deliveryAt),
  ofOne("POST /v1/deliveries/{id}/resend", "rules:write", 202, deliveryAt),
  ...["GET", "POST"].map(
    (method): RouteCase => ({
      route: `${method} /v1/unsubscribe/{token}`,
      needs: "nothing",
      request: async ({ deps }) => {
        const links = await readUnsubscribeLinks(deps.postgres);
        return { path: `/v1/unsubscribe/${links.tokenOf({ list: "chn_x", address: "ops@example.com" })}` };
      },
      allowed: 200,
      elsewhere: "the same",
    }),
  ),
];
