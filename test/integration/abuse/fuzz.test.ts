/** A small part of `npm run fuzz` (test/fuzz), the same in every run, against the application with all its routes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { seededRandom } from "../../../server/programs/random.ts";
import { fuzz } from "../../fuzz/fuzz.ts";
import { askedAbout, createWorld, inside, type World } from "../../support/isolation-world.ts";

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

test("whatever is sent or asked, by whomever, on any route, nothing is answered 5xx and no connection breaks", async () => {
  const bearer = async (...made: Parameters<World["makeKey"]>) => {
    const { id, key } = await world.makeKey(...made);
    return { id, headers: { authorization: `Bearer ${key}` } };
  };
  const keys = [
    await bearer(["ingest", "read", "admin"], "all"),
    await bearer(["ingest", "read", "admin"], askedAbout),
    await bearer(["ingest"], inside),
    await bearer(["read"], inside),
  ];
  const { session, headers } = world.callers.get("with the role owner") ?? {};
  const person = { cookie: `tidemark_session=${session}`, ...headers };
  const bystander = await bearer(["read"], "all");
  const { wrong, routes } = await fuzz(
    {
      url: world.url,
      callers: [...keys.map((key) => key.headers), person],
      bystander: bystander.headers,
      spared: [...keys, bystander].map(({ id }) => id),
      routes: world.routes,
    },
    { bodies: 2_000, questions: 2_000, lanes: 4, random: seededRandom("fuzz"), say: (line) => console.log(line) },
  );
  expect(world.routes.filter((route) => !routes.includes(route))).toEqual([]);
  expect([...wrong]).toEqual([]);
});
