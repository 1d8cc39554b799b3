/** CloudEvents as the SDK of their makers sends them, over HTTP, from the first event to the figure and its correction. */
import { CloudEvent, type EmitterFunction, emitterFor, type Message, Mode } from "cloudevents";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createWorld, type World } from "../support/isolation-world.ts";

let world: World;
let key: string;
const organization = "inside-9f3c";
const type = "call.completed";

beforeAll(async () => {
  world = await createWorld();
  key = (await world.makeKey(["ingest", "read", "admin"], "all")).key;
});
afterAll(() => world.close());

async function post({ headers, body }: Message) {
  const answer = await world.ask("POST", "/v1/events?ack=stored", {
    key,
    headers: headers as Record<string, string>,
    body: body === undefined ? "" : String(body),
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer;
}
const call = (id: string, source: string, data: object) =>
  new CloudEvent({ id, source, type, subject: organization, time: "2026-04-02T10:00:00Z", data });
async function minutes(): Promise<string> {
  const question = `meter=call_minutes&node=organization:${organization}&from=2026-04-01&to=2026-05-01&window=total`;
  const { body } = await world.ask("GET", `/v1/usage?${question}`, { key });
  return body.meters[0].total;
}

test("the SDK's structured, binary and batch modes carry the same event: one id from two sources is two", async () => {
  const emit = (mode: Mode): EmitterFunction => emitterFor(post as never, { mode });
  const twenty = { seconds: 20, floor: 7, properties: { line: "sip" } };
  const verdicts = [];
  for (const mode of [Mode.STRUCTURED, Mode.BINARY, Mode.STRUCTURED]) {
    const { body } = (await emit(mode)(call("same", "/a", twenty))) as Awaited<ReturnType<typeof post>>;
    verdicts.push([body.accepted, body.duplicates]);
  }
  expect(verdicts).toEqual([
    [1, 0],
    [0, 1],
    [0, 1],
  ]);
  const batch = [call("same", "/b", twenty), call("same", "/a", twenty), call("other", "/a", { seconds: 20 })];
  const { body } = await post({
    headers: { "content-type": "application/cloudevents-batch+json" },
    body: JSON.stringify(batch),
  });
  expect([body.accepted, body.duplicates, body.rejected]).toEqual([2, 1, []]);
  expect(await minutes()).toBe("1");
  const records = await world.ask("GET", `/v1/records?filter[id]=same&filter[type]=${type}`, { key });
  expect(records.body.records).toHaveLength(2);
  for (const record of records.body.records)
    expect(record).toMatchObject({
      id: "same",
      seconds: "20",
      properties: { source: record.source, floor: 7, line: "sip" },
    });
  const ofOne = await world.ask("GET", `/v1/records?filter[source]=/b&filter[type]=${type}`, { key });
  expect(ofOne.body.records.map(({ source }: { source: string }) => source)).toEqual(["/b"]);
});

test("lists lead past events of the same id from other sources, each once, however long the names are", async () => {
  const longest = "\u0001".repeat(256);
  const time = "2026-06-02T10:00:00Z";
  const event = { specversion: "1.0", id: longest, type, subject: longest, time, data: { seconds: 20 } };
  const sources = ["/a", "/b", `${longest.slice(1)}c`];
  await post({
    headers: { "content-type": "application/cloudevents-batch+json" },
    body: JSON.stringify(sources.map((source) => ({ ...event, source }))),
  });
  const lists = {
    "/v1/records?limit=1": (body: { records: object[]; next_cursor: string | null }) => [
      body.records,
      body.next_cursor,
    ],
    "/v1/explain?meter=call_minutes&limit=1": ({
      events,
    }: {
      events: { sample: object[]; next_cursor: string | null };
    }) => [events.sample, events.next_cursor],
  } as Record<string, (body: unknown) => [{ source: string }[], string | null]>;
  for (const [question, pageOf] of Object.entries(lists)) {
    const found: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const path: string = `${question}&from=2026-06-01&to=2026-07-01${cursor && `&cursor=${cursor}`}`;
      const { status, body } = await world.ask("GET", path, { key });
      expect([question, status]).toEqual([question, 200]);
      const [page, next] = pageOf(body);
      found.push(...page.map(({ source }) => source));
      cursor = next;
    }
    expect([question, found.sort()]).toEqual([question, [...sources].sort()]);
  }
});

test("an event is corrected by its id and source, and by its id alone where that says which", async () => {
  const correct = (id: string, verb: string, rest: object) =>
    world.ask("POST", `/v1/events/${id}/${verb}`, { key, body: { organization, reason: "a test", ...rest } });
  expect(await correct("same", "void", {})).toMatchObject({ status: 400, body: { field: "source" } });
  expect(await correct("same", "void", { source: "/c" })).toMatchObject({ status: 404 });
  const amended = await correct("same", "amend", { source: "/b", changes: { value: "2" } });
  expect(amended).toMatchObject({
    status: 200,
    body: { before: { id: "same", source: "/b", seconds: "20" }, after: { id: "same", source: "/b", value: "2" } },
  });
  expect(await minutes()).toBe("2.666666667");
  expect(await correct("same", "void", { source: "/a" })).toMatchObject({ status: 200, body: { after: null } });
  expect(await correct("other", "void", {})).toMatchObject({ status: 200, body: { before: { source: "/a" } } });
  expect(await minutes()).toBe("2");
  const sent = await post({
    headers: { "content-type": "application/cloudevents-batch+json" },
    body: JSON.stringify([call("other", "/a", { seconds: 20 })]),
  });
  expect(sent.body).toMatchObject({ accepted: 0, duplicates: 1 });
  const shown = await world.ask("GET", `/v1/events/same?organization=${organization}&source=/b`, { key });
  expect(shown.body).toMatchObject({ event: { source: "/b", value: "2" }, corrections: [{ action: "amend" }] });
  expect(await world.ask("GET", `/v1/events/same%00%2Fb?organization=${organization}`, { key })).toMatchObject({
    status: 400,
  });
});
