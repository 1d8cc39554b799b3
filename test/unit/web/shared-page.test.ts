import { expect, test } from "vitest";
import { contrast, visibleAccent } from "../../../web/src/shared/accent.ts";
import { sharedApi } from "../../../web/src/shared/api.ts";
import { framingOrigins, handedToken } from "../../../web/src/shared/framing.ts";
import { describedApi } from "../../support/described-api.ts";

const origins = ["https://portal.example.com", "http://localhost:3000"];
const frameOf = (said: unknown) => `?frame=${Buffer.from(JSON.stringify(said)).toString("base64url")}.mark`;

test("the address of a frame names those whose messages count, and one that says something else names nobody", () => {
  expect(framingOrigins(frameOf(origins))).toEqual(origins);
  for (const search of ["", "?frame=", "?frame=%%%", "?frame=x.y", frameOf({ a: 1 }), frameOf([1, null])])
    expect(framingOrigins(search), search).toEqual([]);
});

test("a token is taken of the page around the frame at one of its origins, and of nobody else", () => {
  const parent = {} as MessageEventSource;
  const message = { source: parent, origin: origins[0] ?? "", data: { type: "tidemark:token", token: "tme_next" } };
  const taken = (changed: Partial<typeof message> & { data?: unknown }) =>
    handedToken({ ...message, ...changed }, { parent, origins });
  expect(taken({})).toBe("tme_next");
  for (const changed of [
    { source: {} as MessageEventSource },
    { origin: "https://evil.example.com" },
    { origin: "null" },
    ...[null, "tme_next", { token: "tme_next" }, { type: "tidemark:token" }, { type: "tidemark:token", token: 7 }].map(
      (data) => ({ data }),
    ),
  ])
    expect(taken(changed as object), JSON.stringify(changed)).toBeUndefined();
  expect(handedToken(message, { parent, origins: [] })).toBeUndefined();
});

test("an accent can be seen on its surface, and is left as it is where it can be", () => {
  const rgb = (hex: string) =>
    [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as [number, number, number];
  for (const [surface, ink] of [
    ["#ffffff", "#10191b"],
    ["#111819", "#ecf2f2"],
  ] as const)
    for (const accent of ["#ffffff", "#000000", "#ffff00", "#7c3aed", "#00ff00", "#111819"]) {
      const visible = visibleAccent(accent, surface, ink);
      expect(contrast(rgb(visible), rgb(surface)), `${accent} on ${surface}`).toBeGreaterThanOrEqual(3);
      if (contrast(rgb(accent), rgb(surface)) >= 3) expect(visible).toBe(accent);
    }
  expect(visibleAccent("#7c3aed", "#fff", "#10191b"), "as the build writes it").toBe("#7c3aed");
});

test("what the page of shared dashboards calls is what the API describes", () => {
  const { paths } = describedApi();
  for (const [id, { method, path }] of Object.entries(sharedApi))
    expect(paths[path]?.[method.toLowerCase()]?.operationId).toBe(id);
});
