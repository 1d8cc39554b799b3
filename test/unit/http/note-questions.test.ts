import { Hono } from "hono";
import { expect, test } from "vitest";
import type { HttpEnv } from "../../../server/http/http-env.ts";
import { noteQuestions } from "../../../server/http/note-questions.ts";
import type { Actor } from "../../../server/identity/actor.ts";

function counting() {
  let asked = 0;
  const app = new Hono<HttpEnv>();
  app.use(async (c, next) => {
    const key = c.req.header("authorization");
    c.set("identify", async () => {
      if (key === "unreadable") throw new Error("no such key");
      return key === undefined ? undefined : ({ id: key } as Actor);
    });
    await next();
  });
  app.use(
    noteQuestions(async () => {
      asked++;
    }),
  );
  app.all("*", (c) => c.text("answered"));
  return async (method: string, path: string, authorization?: string) => {
    asked = 0;
    const response = await app.request(path, { method, headers: authorization ? { authorization } : {} });
    expect(await response.text()).toBe("answered");
    return asked;
  };
}

test("whatever a caller asks, by GET or POST, makes events be stored soon; sending events does not", async () => {
  const ask = counting();
  for (const [method, path] of [
    ["GET", "/v1/usage"],
    ["GET", "/v1/events"],
    ["POST", "/v1/report-runs"],
    ["POST", "/v1/rules/preview"],
  ] as const)
    expect(await ask(method, path, "key"), path).toBe(1);
  for (const path of ["/v1/events", "/v1/quarantine/replay", "/v1/quarantine/7/replay"])
    expect(await ask("POST", path, "key"), path).toBe(0);
});

test("who has no credentials, or none that are right, makes nothing be stored sooner", async () => {
  const ask = counting();
  expect(await ask("GET", "/v1/usage")).toBe(0);
  expect(await ask("GET", "/v1/usage", "unreadable")).toBe(0);
});
