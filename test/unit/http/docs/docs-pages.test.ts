import { expect, test } from "vitest";
import { describeEvent } from "../../../../server/catalog/describe-event.ts";
import { eventTypes } from "../../../../server/catalog/event-types.ts";
import { usageEventSchema } from "../../../../server/contract/events.ts";
import { embeddingPage } from "../../../../server/http/docs/embedding-page.ts";
import { emittersPage } from "../../../../server/http/docs/emitters-page.ts";
import { eventPages } from "../../../../server/http/docs/event-pages.ts";
import { guidePages } from "../../../../server/http/docs/guide-pages.ts";
import { guides } from "../../../../server/http/docs/guides.ts";
import { meterPages } from "../../../../server/http/docs/meter-pages.ts";

const app = emittersPage()
  .route("/", eventPages())
  .route("/", guidePages())
  .route("/", meterPages())
  .route("/", embeddingPage());
const textOf = async (path: string) => (await app.request(path)).text();
const guidePaths = guides.map(({ name }) => `/docs/guides/${name}`);

test("every event type has words, its fields with their closed lists, what it feeds and an example, on its page and on that of all", async () => {
  const all = await textOf("/docs/events");
  for (const [name, { properties = {}, dimensions, valueIs }] of eventTypes) {
    const described = describeEvent(name);
    expect(described?.words, `server/catalog/event-words.ts lacks ${name}`).toMatch(/\.$/);
    expect(described?.feeds.length, name).toBeGreaterThan(0);
    const page = await textOf(`/docs/events/${name}`);
    const lists = Object.values(properties).flatMap(({ oneOf = [] }) => oneOf);
    const fields = dimensions.map((dimension) => `properties.<wbr>${dimension}`);
    const amounts = valueIs === undefined ? [] : ["value", "seconds", "Minutes"];
    for (const text of [name, ...lists, ...fields, ...amounts, ...(described?.feeds ?? []).map(({ meter }) => meter)])
      for (const shown of [all, page]) expect(shown, name).toContain(text);
    for (const event of described?.example.events ?? []) expect(usageEventSchema.parse(event)).toEqual(event);
    expect(page).not.toMatch(/undefined|\[object/);
  }
});

test("the page of events says what every field means and how intervals are paired, kept alive and ended", async () => {
  const all = await textOf("/docs/events");
  for (const field of Object.keys(usageEventSchema.shape)) expect(all).toContain(`<td><code>${field}</code></td>`);
  for (const text of ["pairing by session and user", "alive_within", "session.ended", "12 hours", "divided by 60 once"])
    expect(all.toLowerCase()).toContain(text);
});

test("the pages link to each other and to nothing that is not there, load nothing and run nothing", async () => {
  const known = new Set(["/", "/keys", "/docs"]);
  const pages = new Map<string, string>();
  const todo = ["/docs/guides", "/docs/emitters", "/docs/events", "/docs/meters"];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    if (pages.has(path) || known.has(path)) continue;
    const answer = await app.request(path);
    expect([path, answer.status]).toEqual([path, 200]);
    const page = await answer.text();
    pages.set(path, page);
    expect(page).not.toMatch(/<script|src="|@import|href="https?:/);
    for (const [, href = ""] of page.matchAll(/href="([^"]+)"/g)) {
      const [target = "", anchor] = href.split("#");
      if (anchor !== undefined) expect(page).toContain(`id="${anchor}"`);
      if (target !== "") todo.push(target);
    }
  }
  expect([...pages.keys()]).toEqual(expect.arrayContaining(guidePaths));
  expect(pages.size).toBeGreaterThan(eventTypes.size);
});
