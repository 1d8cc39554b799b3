/** Who had an organization before, and their keys, are named to nobody who stands above it since; its own people knew them. */
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { apiKeys } from "../../../server/postgres/schema/accounts.ts";
import {
  askedAbout,
  createWorld,
  inside,
  pastOwner,
  pastOwnerUntil,
  type World,
} from "../../support/isolation-world.ts";

let world: World;
let newcomer: string;
let own: string;
let above: string;
let sender: { id: string; key: string };
const organization = inside.slice("organization:".length);
const range = "from=2025-01-01&to=2025-12-31";

beforeAll(async () => {
  world = await createWorld();
  const keyOf = async (node: string) => (await world.makeKey(["read", "admin"], node)).key;
  [newcomer, own, above] = [await keyOf(askedAbout), await keyOf(inside), await keyOf("partner:above-9f3c")];
  sender = await world.makeKey(["ingest"], "all");
  const send = async (key: string, time: string, id: string) => {
    const about = { organization, time, user: "u1" };
    const body = [
      { ...about, id: `${id}-post`, type: "chat.posted" },
      { ...about, id: `${id}-join`, type: "participant.joined", session: `s-${id}` },
      { ...about, id: `${id}-left`, type: "participant.left", session: `s-${id}`, time: `${time.slice(0, 14)}30:00Z` },
      { ...about, id: `${id}-job`, type: "transcription.requested", job: `j-${id}` },
    ];
    expect((await world.ask("POST", "/v1/events?ack=stored", { key, body })).body).toMatchObject({ rejected: [] });
  };
  await send(sender.key, "2025-03-01T09:00:00Z", "then");
  // As it was when the organization stood there.
  await world.deps.postgres.db.update(apiKeys).set({ node: pastOwner }).where(eq(apiKeys.id, sender.id));
  await send((await world.makeKey(["ingest"], inside)).key, "2025-09-01T09:00:00Z", "now");
});
afterAll(() => world.close());

const get = async (path: string, key: string) => (await world.ask("GET", path, { key })).body;

test("lists of sessions, jobs and records have no former owner above a node that moved, and all of them for its own people", async () => {
  const [, formerId = ""] = pastOwner.split(":");
  const paths = [
    `/v1/sessions?node=${inside}&${range}`,
    `/v1/jobs?node=${inside}&${range}`,
    `/v1/records?node=${inside}&${range}`,
  ];
  for (const path of paths) {
    const [seen, known, whole] = [await get(path, newcomer), await get(path, own), await get(path, above)];
    expect(JSON.stringify(seen), path).toContain("then");
    expect(JSON.stringify(seen), path).not.toContain(formerId);
    for (const one of [known, whole]) expect(JSON.stringify(one), path).toContain(formerId);
  }
  const one = `/v1/sessions/${organization}/s-now`;
  for (const key of [newcomer, own, above]) expect((await get(one, key)).reseller).toBe("asked-about-9f3c");
});

test("figures by reseller name no former owner, and no filter says whether it was one", async () => {
  const query = `/v1/usage?meter=chat_posts&node=${inside}&${range}`;
  const groupsFor = async (key: string) =>
    (await get(`${query}&group_by=reseller`, key)).meters[0].groups.map(
      ({ key: name, total }: { key: string; total: number }) => [name, total],
    );
  expect((await groupsFor(newcomer)).sort()).toEqual([
    ["asked-about-9f3c", 1],
    ["somebody else", 1],
  ]);
  for (const key of [own, above])
    expect((await groupsFor(key)).sort()).toEqual([
      ["asked-about-9f3c", 1],
      ["former-9f3c", 1],
    ]);
  const filtered = async (filter: string, key: string) => {
    const { status, body } = await world.ask("GET", `${query}&filter[reseller]${filter}`, { key });
    return status === 200 ? body.meters[0].total : [status, body.field];
  };
  for (const filter of ["=former-9f3c", "[not]=former-9f3c", "[prefix]=former"])
    expect(await filtered(filter, newcomer)).toEqual([403, expect.stringContaining("filter[reseller]")]);
  expect([await filtered("=asked-about-9f3c", newcomer), await filtered("=former-9f3c", own)]).toEqual([1, 1]);
});

test("a former owner's key is neither named nor found", async () => {
  const health = async (key: string) => {
    const from = pastOwnerUntil.toISOString();
    const { groups } = await get(`/v1/ingest-health?node=${inside}&window=day&from=${from}&group_by=key`, key);
    return groups.map(({ key: name }: { key: string }) => name);
  };
  expect(await health(newcomer)).toContain("somebody else");
  expect(await health(newcomer)).not.toContain(sender.id);
  expect(await health(own)).toContain(sender.id);
  const found = async (filter: string, key: string) =>
    (await get(`/v1/records?node=${inside}&${range}&filter[key]${filter}`, key)).records.length;
  for (const filter of [`=${sender.id}`, `[prefix]=${sender.id}`]) {
    expect(await found(filter, newcomer)).toBe(0);
    expect(await found(filter, own)).toBe(4);
  }
});
