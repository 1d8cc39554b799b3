import { Writable } from "node:stream";
import { createRoute, z } from "@hono/zod-openapi";
import { expect, test, vi } from "vitest";
import { Questions } from "../../../server/fairness/questions.ts";
import { createRouter } from "../../../server/http/app-pieces.ts";
import { attachClient } from "../../../server/http/attach-client.ts";
import { attachActor, requireActor, requireScope } from "../../../server/http/authenticate.ts";
import { boundBodies } from "../../../server/http/read-body.ts";
import { maxSendingLargeMs, takeTurns } from "../../../server/http/take-turns.ts";
import type { Actor } from "../../../server/identity/actor.ts";

const key: Actor = {
  kind: "key",
  id: "key_1",
  name: "k",
  node: "organization:o",
  reach: ["organization:o"],
  grants: [{ node: "organization:o", actions: new Set(["read", "nodes:write", "ingest"]) }],
  createOrganizations: false,
};

/** Callers in the order in which their turns came, and what was read of the body by then. */
function routerWith(turns: { caller: unknown; bodyRead: boolean }[]) {
  const app = createRouter();
  let bodyRead = false;
  const questions = {
    answer: async (caller: unknown, _: AbortSignal, work: (question: object) => Promise<unknown>) => {
      turns.push({ caller, bodyRead });
      return await work({});
    },
  } as unknown as Questions;
  app.use(boundBodies());
  app.use(attachClient(() => false));
  app.use(attachActor({ authenticate: async () => key }));
  app.use(takeTurns(questions, { ancestors: (node) => [node, "reseller:r", "all"] }));
  const body = () =>
    new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          bodyRead = true;
          controller.enqueue(Buffer.from("{}"));
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
  return { app, body };
}

const responses = { 200: { description: "done" } };

test.each([
  ["whose account it is", requireActor],
  ["who may read", requireScope("read")],
])("a route for %s takes a turn of its tenant's", async (_, middleware) => {
  const turns: { caller: unknown; bodyRead: boolean }[] = [];
  const { app } = routerWith(turns);
  app.openapi(createRoute({ method: "get", path: "/asked", middleware, responses }), (c) => c.json({}, 200));
  expect((await app.request("/asked")).status).toBe(200);
  expect(turns).toEqual([{ caller: { tenant: "reseller:r", id: "key_1" }, bodyRead: false }]);
});

test("the body of an answer to HEAD is ended unread, and nobody's turn lasts for it", async () => {
  const { app } = routerWith([]);
  let isCancelled = false;
  const route = createRoute({ method: "get", path: "/asked", middleware: requireScope("read"), responses });
  const endless = () =>
    new ReadableStream({
      pull: (controller) => controller.enqueue(Buffer.from("row\n")),
      cancel: () => {
        isCancelled = true;
      },
    });
  app.openapi(route, (c) => c.body(endless(), 200) as never);
  const answer = await app.request("/asked", { method: "HEAD" });
  expect([answer.status, await answer.text(), isCancelled]).toEqual([200, "", true]);
});

test("a route that is public takes none", async () => {
  const turns: { caller: unknown; bodyRead: boolean }[] = [];
  const { app } = routerWith(turns);
  app.openapi(createRoute({ method: "get", path: "/asked", security: [], responses }), (c) => c.json({}, 200));
  expect((await app.request("/asked")).status).toBe(200);
  expect(turns).toEqual([]);
});

test("the turn of a change begins when its body is here, one for the whole request", async () => {
  const turns: { caller: unknown; bodyRead: boolean }[] = [];
  const { app, body } = routerWith(turns);
  const request = { body: { required: true, content: { "application/json": { schema: z.object({}) } } } };
  const described = { path: "/changed", middleware: requireScope("nodes:write"), request, responses } as const;
  app.openapi(createRoute({ method: "post", ...described }), (c) => c.json({}, 200));
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: body(), duplex: "half" };
  expect((await app.request("/changed", init)).status).toBe(200);
  expect(turns.map(({ bodyRead }) => bodyRead)).toEqual([true]);
});

test("events take no turn: usage never waits for questions", async () => {
  const turns: { caller: unknown; bodyRead: boolean }[] = [];
  const { app } = routerWith(turns);
  const streamed = createRouter({ bodies: "streamed" });
  const described = { method: "post", path: "/events", middleware: requireScope("ingest"), responses } as const;
  streamed.openapi(createRoute(described), (c) => c.json({}, 200));
  app.route("/", streamed);
  expect((await app.request("/events", { method: "POST", body: "{}" })).status).toBe(200);
  expect(turns).toEqual([]);
});

test("a turn lasts until the answer was sent or its reader has left", async () => {
  const app = createRouter();
  app.use(attachClient(() => false));
  app.use(attachActor({ authenticate: async () => key }));
  const questions = new Questions();
  app.use(takeTurns(questions, { ancestors: (node) => [node, "reseller:r", "all"] }));
  const described = { method: "get", path: "/asked", middleware: requireScope("read"), responses } as const;
  app.openapi(createRoute(described), (c) => c.json({}, 200));
  for (const event of ["finish", "close"]) {
    const outgoing = new Writable();
    expect((await app.request("/asked", {}, { outgoing })).status).toBe(200);
    expect(questions.running).toBe(1);
    outgoing.emit(event);
    expect(questions.running).toBe(0);
  }
});

test.each([
  [
    "a large answer is cut off when it is not sent in time, however fast its reader is",
    "/large",
    maxSendingLargeMs,
    2 ** 40,
  ],
  ["an answer that nobody reads is cut off", "/small", 40_000, 640 * 1024],
])("%s, which ends its turn", async (_, path, cutMs, bytesWritten) => {
  vi.useFakeTimers();
  try {
    const app = createRouter();
    app.use(attachClient(() => false));
    app.use(attachActor({ authenticate: async () => key }));
    const questions = new Questions();
    app.use(takeTurns(questions, { ancestors: (node) => [node, "reseller:r", "all"] }));
    const described = (path: string) => ({ method: "get", path, middleware: requireScope("read"), responses }) as const;
    app.openapi(createRoute(described("/small")), (c) => c.json({}, 200));
    app.openapi(createRoute(described("/large")), async (c) => {
      await c.get("question")?.becomeLarge();
      return c.json({}, 200);
    });
    const socket = { bytesWritten: 0 };
    const [idle, unread] = ["/small", path].map(() =>
      Object.assign(new Writable({ write: () => undefined }), { socket }),
    );
    await app.request("/small", {}, { outgoing: idle });
    await app.request(path, {}, { outgoing: unread });
    socket.bytesWritten = bytesWritten;
    unread?.write("the answer");
    await vi.advanceTimersByTimeAsync(cutMs - 1);
    expect([questions.running, unread?.destroyed]).toEqual([2, false]);
    await vi.advanceTimersByTimeAsync(1);
    expect([questions.running, unread?.destroyed, idle?.destroyed]).toEqual([1, true, false]);
  } finally {
    vi.useRealTimers();
  }
});
