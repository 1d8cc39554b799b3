/** Ranges that end within a quarter of an hour, which rollups know only whole. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { meterByName } from "../../../server/catalog/catalog.ts";
import { measureOrganizations } from "../../../server/overview/measure-organizations.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";

let ingesting: Ingesting;
beforeAll(async () => {
  ingesting = await startIngesting();
  const path = { partner: "", reseller: "tides" };
  for (const id of ["north", "south"]) ingesting.tree.organizations.set(id, path);
});
afterAll(() => ingesting.close());

const atMs = (day: number, minute: number) => Date.UTC(2003, 4, day, 10, minute);
const posts = (day: number, minutes: readonly number[]) =>
  minutes.flatMap((minute) =>
    ["north", "south"].map((organization) => ({
      id: `${day}-${minute}`,
      type: "chat.posted",
      organization,
      properties: { visibility: "public" },
      time: new Date(atMs(day, minute)).toISOString(),
    })),
  );

/** At every level, whole and split by what the node's own rollup knows, by what only the organizations' does, and by what neither. */
const questions = [
  { node: "organization:north" },
  { node: "reseller:tides" },
  { node: "all" },
  { node: "all", group_by: "visibility" },
  { node: "reseller:tides", group_by: "organization" },
  { node: "all", group_by: "user" },
];

async function totalsUntil(day: number, minute: number): Promise<unknown[]> {
  const range = { from: new Date(atMs(day, -60)).toISOString(), to: new Date(atMs(day, minute)).toISOString() };
  return await Promise.all(
    questions.map(async (question) => {
      const [answer] = await ingesting.usage({ meter: "chat_posts", window: "total", ...range, ...question });
      return [answer?.total, ...(answer?.groups ?? []).map(({ total }) => total)];
    }),
  );
}

test("a range that ends within a quarter of an hour holds the events before its end, and none of those after it in that quarter", async () => {
  expect((await ingesting.send(posts(1, [1, 5, 9]))).rejected).toEqual([]);
  expect(await totalsUntil(1, 6)).toEqual([[2], [4], [4], [4, 4], [4, 2, 2], [4, 4]]);
  expect(await totalsUntil(1, 10)).toEqual([[3], [6], [6], [6, 6], [6, 3, 3], [6, 6]]);
  expect(await totalsUntil(1, 1)).toEqual([[0], [0], [0], [0], [0], [0]]);
});

test("an event ahead of now is not in what organizations came to until now", async () => {
  await ingesting.send(posts(2, [1, 5]));
  const meter = meterByName("chat_posts");
  if (!meter) throw new Error("there is no such meter");
  const starts = new Map([
    ["north", atMs(2, 0)],
    ["south", atMs(2, -15)],
  ]);
  const until = async (minute: number) => {
    const [found] = await measureOrganizations(ingesting.store.clickhouse, [{ meter, starts }], atMs(2, minute));
    return [...(found ?? [])].sort();
  };
  expect(await until(3)).toEqual([
    ["north", 1],
    ["south", 1],
  ]);
  expect(await until(6)).toEqual([
    ["north", 2],
    ["south", 2],
  ]);
});
