/** What is looked at in the browser (pictures, accessibility) is every page there is. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { BrowserContext } from "playwright-core";
import { expect, test } from "vitest";
import { detailPlaces, places } from "../../screenshots/places.ts";
import { root } from "../../support/source-files.ts";

/** As text: the table loads every page. */
const paths = [...readFileSync(join(root, "web/src/page-table.ts"), "utf8").matchAll(/^ {2}"([^"]+)":/gm)].map(
  ([, path]) => path as string,
);

/** An API that has one of everything. */
const one = {
  id: "one",
  node: "organization:one",
  organization: "one",
  session: "one",
  panels: [],
  groups: [{ key: "one" }],
};
const lists = new Proxy({}, { get: (_, name) => (name === "then" ? undefined : [one]) });
const api = { request: { get: async () => ({ ok: () => true, json: async () => lists }) } } as unknown as Pick<
  BrowserContext,
  "request"
>;

/** The first in the table wins, as in the dashboard: a path of its own stands before one with a parameter. */
function pageAt(place: string): string {
  const pathname = place.split("?")[0] ?? "";
  const fits = (path: string) => path !== "*" && new RegExp(`^${path.replace(/:\w+/g, "[^/]+")}$`).test(pathname);
  return paths.find((path) => path === pathname) ?? paths.find(fits) ?? "*";
}

test("every page of the dashboard is among the places of which pictures are taken and which are checked", async () => {
  expect(paths.length).toBeGreaterThan(40);
  const seen = [...places, ...(await detailPlaces(api, ""))].map(({ path }) => pageAt(path));
  expect(paths.filter((path) => !seen.includes(path))).toEqual([]);
  expect(seen.filter((path) => path === "*")).toHaveLength(1);
});
