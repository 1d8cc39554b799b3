import { expect, test } from "vitest";
import { meters } from "../../../../server/catalog/built-in-meters.ts";
import { dimensionsOf } from "../../../../server/catalog/catalog.ts";
import { meterPages } from "../../../../server/http/docs/meter-pages.ts";

const app = meterPages();
const textOf = async (path: string) => (await app.request(path)).text();

test("every built-in meter has a page with its definition, unit, rule, types, dimensions and freshness, and the list leads to it", async () => {
  const index = await textOf("/docs/meters");
  for (const meter of meters) {
    expect(index).toContain(`href="/docs/meters/${meter.meter}"`);
    const page = await textOf(`/docs/meters/${meter.meter}`);
    for (const text of [meter.meter, meter.title, meter.unit, "Rule", "Freshness", "watermark", ...dimensionsOf(meter)])
      expect(page, meter.meter).toContain(text);
    expect(page, meter.meter).not.toMatch(/undefined|\[object/);
  }
});

test("the pages load nothing and run nothing", async () => {
  expect(await textOf("/docs/meters")).not.toMatch(/<script|src=|@import|https?:/);
});
