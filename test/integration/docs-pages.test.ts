import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventTypes } from "../../server/catalog/event-types.ts";
import { freeLoopbackPort } from "../../server/embedded/loopback.ts";
import { guides } from "../../server/http/docs/guides.ts";
import { createWorld, type World } from "../support/isolation-world.ts";

const run = promisify(execFile);
let world: World;
let key: string;
beforeAll(async () => {
  world = await createWorld();
  ({ key } = await world.makeKey(["ingest", "read"], "all"));
});
afterAll(() => world.close());

/** What a reader copies: the text of each element with the attribute, by its value. */
function copied(page: string, attribute: string): Map<string, string> {
  const found = page.matchAll(new RegExp(`${attribute}(?:="([^"]*)")?>(?:<code>)?([^<]*)<`, "g"));
  const plain = (text: string) =>
    text
      .replaceAll("&lt;", "<")
      .replaceAll("&gt;", ">")
      .replaceAll("&quot;", '"')
      .replaceAll("&#39;", "'")
      .replaceAll("&amp;", "&");
  return new Map([...found].map(([, name, text = ""], place) => [name ?? String(place), plain(text)]));
}
const pageOf = async (path: string) => String((await world.ask("GET", path)).body);

test("the example of every event type is taken without a warning, and counted by every meter that its page says it feeds", async () => {
  const pages = await Promise.all(
    [...eventTypes.keys()].map(async (type) => [type, await pageOf(`/docs/events/${type}`)]),
  );
  const sent = pages.map(async ([type = "", page = ""]) => {
    const organization = `"org-of-${type}"`;
    const body = copied(page, "data-snippet").get(`event-${type}`)?.replaceAll('"acme"', organization);
    const { status, body: verdict } = await world.ask("POST", "/v1/events?ack=stored", { key, body: body ?? "" });
    expect([type, status, verdict.rejected, verdict.warnings]).toEqual([type, 200, [], []]);
  });
  await Promise.all(sent);
  for (const [type = "", page = ""] of pages) {
    const questions = [...copied(page, "data-question").values()];
    expect(questions.length, type).toBeGreaterThan(0);
    for (const question of questions) {
      const path = question.replace("GET ", "").trim().replace("organization:acme", `organization:org-of-${type}`);
      const { status, body } = await world.ask("GET", path, { key });
      expect([type, status]).toEqual([type, 200]);
      for (const { meter, total } of body.meters) expect(Number(total), `${type}: ${meter}`).toBeGreaterThan(0);
    }
  }
});

test("the examples of all types can be sent to one organization, together", async () => {
  const page = await pageOf("/docs/events");
  const bodies = [...copied(page, "data-snippet").values()].map((text) => JSON.parse(text));
  const { status, body } = await world.ask("POST", "/v1/events?atomic=true&ack=stored", { key, body: bodies.flat() });
  expect([status, body.rejected, body.duplicates]).toEqual([200, [], 0]);
});

type Ended = { code: number; stdout: string; stderr: string };
const ended = (script: string, changed: NodeJS.ProcessEnv = {}): Promise<Ended> =>
  run("bash", ["--norc", "-c", script], {
    env: { PATH: process.env.PATH, TIDEMARK_URL: world.url, TIDEMARK_KEY: key, ...changed },
  }).then(
    (done) => ({ code: 0, ...done }),
    (error: Ended) => error,
  );

/** `…` in what is shown stands for what differs from run to run. */
const asShown = (answer: string) =>
  new RegExp(
    `^${answer
      .split("…")
      .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join("[^]*")}\\s*$`,
  );

test.each(guides.map((guide) => [guide.name, guide]))(
  "the guide %s does as it stands what it says, counts nothing twice, and fails with a wrong key or without a service",
  async (name, { steps }) => {
    const page = await pageOf(`/docs/guides/${name}`);
    const snippets = copied(page, "data-snippet");
    const answers = copied(page, "data-answer");
    expect(snippets.size).toBe(steps.length);
    for (const [step, code] of snippets) {
      const { exitCode = 0 } = steps[Number(step.slice("step-".length)) - 1] ?? {};
      const done = await ended(code);
      expect([step, done.code, exitCode ? "" : done.stderr]).toEqual([step, exitCode, ""]);
      expect(done.stdout.replaceAll("\r\n", "\n")).toMatch(asShown(answers.get(step) ?? "?"));
    }
    const last = [...snippets.keys()].at(-1) ?? "";
    expect(snippets.get(last)).toContain("/v1/usage?");
    const whole = [...snippets.values()].join("");
    expect((await ended(whole)).stdout.replaceAll("\r\n", "\n")).toContain(answers.get(last));
    const nobody = `http://127.0.0.1:${await freeLoopbackPort()}`;
    for (const code of [...snippets.values(), whole]) {
      expect(await ended(code, { TIDEMARK_KEY: "tmk_wrong" })).toMatchObject({
        code: 22,
        stderr: expect.stringMatching(/401/),
      });
      expect(await ended(code, { TIDEMARK_URL: nobody })).toMatchObject({
        code: 7,
        stderr: expect.stringMatching(/connect/i),
      });
    }
  },
);
