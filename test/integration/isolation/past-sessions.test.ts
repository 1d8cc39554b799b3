/** A session that lives on while its organization moves: each owner sees what was sent in their time. */
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Orphan } from "../../../server/contract/orphans.ts";
import type { SessionSummary } from "../../../server/contract/sessions.ts";
import { nodeParents } from "../../../server/postgres/schema/accounts.ts";
import { placeOrganizations } from "../../../server/rollups/apply-moves.ts";
import { reconcilePiece } from "../../../server/rollups/reconcile-piece.ts";
import { askedAbout, createWorld, pastOwner, type World } from "../../support/isolation-world.ts";

let world: World;
/** Keys of the node where the organization stands now, of the one where it stood, and of the partner above both. */
let newcomer: string;
let former: string;
let above: string;

beforeAll(async () => {
  world = await createWorld();
  const keyOf = async (node: string) => (await world.makeKey(["read"], node)).key;
  newcomer = await keyOf(askedAbout);
  former = await keyOf(pastOwner);
  above = await keyOf("partner:above-9f3c");
});
afterAll(() => world.close());

test("of a session that lives on after its organization moved each owner has what was sent in their time: orphans, and how many there were", async () => {
  const id = "strays-9f3c";
  const node = `organization:${id}`;
  const ago = (days: number) => new Date(Date.now() - days * 86_400_000);
  const movedAt = ago(10);
  await world.deps.tree.createNode({ kind: "organization", id, name: id, parent: pastOwner });
  await world.deps.tree.change(async (tx) => {
    await tx.insert(nodeParents).values({ node, parent: askedAbout, validFrom: movedAt });
    return { changed: [node], result: undefined };
  });
  const sent = (session: string, type: string, days: number, of: object) => ({
    id: `${session} ${type} ${days} ${JSON.stringify(of)}`,
    type: `participant.${type}`,
    organization: id,
    session,
    time: ago(days).toISOString(),
    ...of,
  });
  const body = [
    sent("lives", "joined", 12, { user: "u1", room: "daily" }),
    sent("lives", "left", 8, { user: "u1" }),
    sent("lives", "left", 11, { interval: "lost then", user: "u-then" }),
    sent("lives", "left", 9, { interval: "lost later", user: "u-later", room: "weekly later" }),
    sent("lives", "left", 11.5, { user: "u2", agent: "a-then" }),
    sent("lives", "left", 9.5, { user: "u2", agent: "a-then-later" }),
    sent("lives", "joined", 7, { interval: "turned later", user: "u-later" }),
    sent("lives", "left", 7.5, { interval: "turned later", user: "u-later" }),
    sent("over", "joined", 12, { user: "u1" }),
    sent("over", "left", 11.9, { user: "u1" }),
    sent("over", "left", 9, { interval: "stray later", user: "u-later" }),
    sent("stray", "left", 9, { interval: "alone later", user: "u-later" }),
    sent("stray", "left", 11, { interval: "alone then", user: "u-then" }),
  ];
  const { key } = await world.makeKey(["ingest"], "all");
  expect((await world.ask("POST", "/v1/events?ack=stored", { key, body })).body).toMatchObject({ rejected: [] });
  const { clickhouse, tree, ingest } = world.deps;
  if (!ingest) throw new Error("the world ingests");
  await placeOrganizations(
    { clickhouse, ...ingest, placementsWithin: (...asked) => tree.placementsWithin(...asked) },
    {
      organizations: [id],
      sinceMs: movedAt.getTime(),
      nowMs: Date.now(),
      unfinished: [],
      record: async () => undefined,
    },
  );
  const orphansOf = async (by: string, of: string) => {
    const answer = await world.ask("GET", `/v1/orphans?node=${of}&filter[organization]=${id}`, { key: by });
    expect(answer.status).toBe(200);
    if (by === former) expect(JSON.stringify(answer.body)).not.toContain("later");
    if (by === newcomer) expect(JSON.stringify(answer.body)).not.toMatch(/lost then|alone then|u-then/);
    return answer.body.orphans.map((one: Orphan) => `${one.session} ${one.interval ?? one.user}`).sort();
  };
  const then = ["lives lost then", "lives u2", "stray alone then"];
  const later = ["lives lost later", "lives turned later", "lives u2", "over stray later", "stray alone later"];
  expect(await orphansOf(former, pastOwner)).toEqual(then);
  expect(await orphansOf(newcomer, askedAbout)).toEqual(later);
  const own = (await world.makeKey(["read"], node)).key;
  for (const [by, of] of [
    [above, "partner:above-9f3c"],
    [own, node],
  ] as const)
    expect([of, await orphansOf(by, of)]).toEqual([of, [...new Set([...then, ...later])].sort()]);
  const countsOf = async (by: string, of: string) => {
    const { body } = await world.ask("GET", `/v1/sessions?node=${of}&filter[organization]=${id}`, { key: by });
    return body.sessions
      .map((one: SessionSummary) => `${one.session} ${one.room} ${one.orphans} ${one.inverted}`)
      .sort();
  };
  expect(await countsOf(former, pastOwner)).toEqual(["lives daily 2 0", "over null 0 0"]);
  expect(await countsOf(newcomer, askedAbout)).toEqual(["lives weekly later 2 1"]);
  expect(await countsOf(own, node)).toEqual(["lives weekly later 3 1", "over null 1 0"]);
  for (const by of [former, newcomer])
    expect((await world.ask("GET", `/v1/sessions/${id}/stray`, { key: by })).status).toBe(404);
  const drift = { ...ingest, clickhouse, tree, postgres: world.deps.postgres, log: pino({ level: "silent" }) };
  for (const days of [12, 11, 9, 7])
    expect(await reconcilePiece(drift, { organization: id, day: ago(days).toISOString().slice(0, 10) })).toEqual([]);
});
