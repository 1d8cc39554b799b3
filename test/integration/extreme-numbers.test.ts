/** Numbers at the bounds of what is taken, and beyond them in what was stored before: every question about them is answered. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Billing, createBilling } from "../support/billing.ts";

let billing: Billing;
const organization = "inside-9f3c";
const node = `organization:${organization}`;
const largest = `${"9".repeat(29)}.999999999`;
const unitPrice = "999999999999999.999999999999";
const day = "2026-03-05";
const range = `from=${day}&to=2026-03-07`;

beforeAll(async () => {
  billing = await createBilling();
  const { world, key } = billing;
  const raw = async (events: string[]) => {
    const answer = await fetch(`${world.url}/v1/events?ack=stored`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/x-ndjson" },
      body: events.join("\n"),
    });
    expect([answer.status, (await answer.json()).rejected]).toEqual([200, []]);
  };
  const event = (id: string, type: string, rest: string) =>
    `{"id":"${id}","type":"${type}","organization":"${organization}","time":"${day}T10:00:00Z",${rest}}`;
  await raw([
    ...["a", "b", "c"].map((id) =>
      event(
        id,
        "transcription.completed",
        `"job":"${id}","user":"u","value":${largest},"properties":{"accuracy":100,"language":"en"}`,
      ),
    ),
    ...["d", "e"].map((id) => event(id, "recording.stored", `"value":${largest}`)),
    ...["f", "g"].map((id) => event(id, "call.completed", `"value":${largest},"agent":"a1"`)),
    ...["h", "i", "j"].map((id) =>
      event(id, "big.thing", `"value":${largest},"properties":{"n":${largest},"dim":1524831183200260097}`),
    ),
    event("k", "big.thing", `"properties":{"n":-${largest},"dim":1524831183200260096}`),
    event("l", "big.thing", '"properties":{"n":"no number","dim":"1524831183200260097"}'),
  ]);
  // As older versions stored what nobody evaluated.
  const stored = (id: string, type: string, properties: string) =>
    JSON.stringify({
      organization,
      id,
      time: `${day} 11:00:00.000`,
      received_at: `${day} 11:00:00.000`,
      type,
      properties,
      dims: "{}",
      value: "1",
      batch: 1,
      sign: 1,
    });
  await world.deps.clickhouse.insertBytes(
    "INSERT INTO usage_events (organization, id, time, received_at, type, properties, dims, value, batch, sign) FORMAT JSONEachRow",
    [
      Buffer.from(
        [
          stored("old-1", "transcription.completed", '{"accuracy":1e+30}'),
          stored("old-2", "big.thing", '{"n":1.7976931348623157e+308,"dim":5e-324}'),
          stored("old-3", "big.thing", '{"n":123456789012345678901234567890,"dim":"x"}'),
          stored("old-4", "big.thing", '{"n":0.12345678949999999,"dim":"y"}'),
          stored("old-5", "big.thing", '{"n":"1e999"}'),
        ].join("\n"),
      ),
    ],
    {},
  );
  for (const aggregation of ["sum", "average", "max", "latest", "count", "level"])
    for (const value of ["value", "n"]) {
      const meter = `big_${aggregation}_${value}`;
      const events = { types: ["big.thing"], aggregation, value, dimensions: ["dim"] };
      const { status, body } = await world.ask("POST", "/v1/meters", {
        key,
        body: { meter, title: meter, unit: "u", events },
      });
      expect([meter, status, body.detail]).toEqual([meter, 201, undefined]);
    }
  for (const [meter, formula] of [
    ["big_product", "big_sum_n * big_sum_n * big_sum_value * transcribed_minutes"],
    ["big_share", "big_sum_n / call_minutes * 100 - big_max_n / 0.000000001"],
  ]) {
    const { status, body } = await world.ask("POST", "/v1/meters", {
      key,
      body: { meter, title: meter, unit: "u", formula },
    });
    expect([meter, status, body.detail]).toEqual([meter, 201, undefined]);
  }
});
afterAll(() => billing.world.close());

const meters = [
  "transcribed_minutes",
  "transcription_accuracy",
  "recording_storage",
  "call_minutes",
  ...["sum", "average", "max", "latest", "count", "level"].flatMap((one) => [`big_${one}_value`, `big_${one}_n`]),
  "big_product",
  "big_share",
];

async function get(path: string, headers: Record<string, string> = {}) {
  const answer = await fetch(`${billing.world.url}${path}`, {
    headers: { authorization: `Bearer ${billing.key}`, ...headers },
  });
  return { status: answer.status, text: await answer.text() };
}

test("every meter answers at every node above, split, narrowed, compared and by every window", async () => {
  for (const [asked, query] of [
    [meters, `node=${node}&${range}`],
    [meters, `from=${day}T09:30:00Z&to=${day}T11:30:00Z&window=minute`],
    [meters, `${range}&window=day&compare=previous`],
    [meters, `${range}&window=day&compare=year`],
    [meters.slice(0, 16), `node=reseller:asked-about-9f3c&${range}&group_by=user&limit=1`],
    [meters.slice(4, 16), `${range}&group_by=dim`],
  ] as const) {
    const { status, text } = await get(`/v1/usage?meter=${asked.join(",")}&${query}`);
    expect([query, status, text.slice(0, 300)]).toEqual([query, 200, text.slice(0, 300)]);
    expect(text).not.toMatch(/NaN|Infinity|[0-9]e\+[0-9]/);
  }
});

test("sums, averages and extremes are exact where they end", async () => {
  const total = async (meter: string) =>
    JSON.parse((await get(`/v1/usage?meter=${meter}&${range}&node=${node}`)).text).meters[0].total;
  const big = BigInt(largest.replace(".", ""));
  const decimal = (units: bigint) => `${units / 10n ** 9n}.${String(units % 10n ** 9n).padStart(9, "0")}`;
  // h, i, j, -k and the old one that is a number of nine decimals.
  expect(await total("big_sum_n")).toBe(decimal(2n * big + 123_456_789n).replace(/0+$/, ""));
  expect(await total("big_max_n")).toBe(largest);
  expect(await total("transcribed_minutes")).toBe(
    decimal(3n * BigInt(largest.replace(".", "")) + 10n ** 9n).replace(/0+$/, ""),
  );
  expect(await total("transcription_accuracy")).toBe("100");
});

test("a text of which the sender is told that it is no number counts in no figure", async () => {
  const { world, key } = billing;
  const at = { organization, time: "2026-04-05T10:00:00Z" };
  const texts = ["1e3", "0.5e2", ".5", "5.", "0x10", " 7", "-1E-7"];
  const body = [
    ...texts.map((n, place) => ({ ...at, id: `text-${place}`, type: "big.thing", properties: { n } })),
    { ...at, id: "decimal", type: "big.thing", properties: { n: "+2.5" } },
    { ...at, id: "number", type: "big.thing", properties: { n: 0.000001 } },
    { ...at, id: "inexact", type: "transcription.completed", value: "10", properties: { accuracy: "1e3" } },
    { ...at, id: "exact", type: "transcription.completed", value: "10", properties: { accuracy: "90" } },
  ];
  const { status, body: verdict } = await world.ask("POST", "/v1/events?ack=stored", { key, body });
  expect([status, verdict.rejected]).toEqual([200, []]);
  const isTold = expect.objectContaining({ id: "inexact", code: "not_a_number" });
  expect(verdict.warnings).toContainEqual(isTold);
  const asked = `/v1/usage?meter=big_sum_n,transcription_accuracy&from=2026-04-05&to=2026-04-06&window=total&node=${node}`;
  const { meters } = await billing.get(asked);
  expect(meters.map(({ total }: { total: unknown }) => total)).toEqual(["2.500001", "90"]);
});

test("two long numbers are two groups and two filters, each by its digits", async () => {
  const { text } = await get(`/v1/usage?meter=big_count_value&${range}&node=${node}&group_by=dim`);
  const groups = JSON.parse(text).meters[0].groups as { key: string; total: number }[];
  expect(groups.find(({ key }) => key === "1524831183200260097")?.total).toBe(4);
  expect(groups.find(({ key }) => key === "1524831183200260096")?.total).toBe(1);
  const one = await get(`/v1/usage?meter=big_count_value&${range}&node=${node}&filter[dim]=1524831183200260096`);
  expect(JSON.parse(one.text).meters[0].total).toBe(1);
});

test("records, one event, explanations and their exports show every digit", async () => {
  const digits = `"dim":1524831183200260097,"n":${largest}`;
  for (const accept of ["application/json", "application/x-ndjson"]) {
    const { status, text } = await get(`/v1/records?${range}&filter[type]=big.thing`, { accept });
    expect([status, text.includes(digits)]).toEqual([200, true]);
  }
  const csv = await get(`/v1/records?${range}&filter[type]=big.thing`, { accept: "text/csv" });
  expect(csv.text).toContain(digits.replaceAll('"', '""'));
  expect((await get(`/v1/events/h?organization=${organization}`)).text).toContain(digits);
  expect((await get(`/v1/explain?meter=big_sum_n&${range}&node=${node}`)).text).toContain(digits);
});

test("usage as CSV, as lines and as Parquet has every digit of sums that are longer than an amount may be", async () => {
  const path = `/v1/usage?meter=call_minutes,big_count_value&${range}&node=${node}&window=total&compare=previous`;
  const twice = 2n * BigInt(largest.replace(".", ""));
  const sum = `${twice / 10n ** 9n}.${twice % 10n ** 9n}`;
  expect(JSON.parse((await get(path)).text).meters[0]).toMatchObject({ total: sum, comparison: { delta: sum } });
  const [head = "", row = ""] = (await get(path, { accept: "text/csv" })).text.split("\r\n");
  const cells = row.split(",");
  const at = (name: string) => head.split(",").indexOf(name);
  expect([cells[at("call_minutes")], cells[at("call_minutes_delta")]]).toEqual([sum, sum]);
  const lines = (await get(path, { accept: "application/x-ndjson" })).text;
  expect(JSON.parse(lines.split("\n")[1] ?? "")).toMatchObject({ value: sum, delta: sum });
  const headers = { authorization: `Bearer ${billing.key}`, accept: "application/vnd.apache.parquet" };
  const file = Buffer.from(await (await fetch(billing.world.url + path, { headers })).arrayBuffer()).toString("hex");
  const types = "toTypeName(call_minutes) AS long, toTypeName(big_count_value) AS short";
  const [read] = await billing.world.deps.clickhouse.select(
    `SELECT toString(call_minutes) AS value, toString(call_minutes_delta) AS delta, ${types} FROM format(Parquet, unhex('${file}'))`,
    {},
  );
  expect(read).toEqual({
    value: sum,
    delta: sum,
    long: "Nullable(Decimal(76, 9))",
    short: "Nullable(Decimal(38, 9))",
  });
});

test("a correction keeps every digit of what it changes and of what it leaves", async () => {
  const answer = await fetch(`${billing.world.url}/v1/events/i/amend`, {
    method: "POST",
    headers: { authorization: `Bearer ${billing.key}`, "content-type": "application/json" },
    body: `{"organization":"${organization}","reason":"r","changes":{"value":100000000.000000001}}`,
  });
  const text = await answer.text();
  expect([answer.status, text.includes('"value":"100000000.000000001"'), text.includes("1524831183200260097")]).toEqual(
    [200, true, true],
  );
});

test("overview, organizations, period, entitlement, charges and forecast stand with a plan on such meters", async () => {
  const features = ["call_minutes", "transcribed_minutes", "transcription_accuracy", "recording_storage"].map(
    (meter) => ({
      key: meter,
      meter,
      included: "1",
      overage: "bill",
      prices: {
        organization: { model: "graduated", tiers: [{ up_to: null, unit_price: unitPrice }] },
      },
    }),
  );
  const plan = await billing.plan("all", { currency: "EUR", features });
  await billing.subscribe(node, plan, { starts_at: "2026-03-01T00:00:00Z" });
  const last = new Date(Date.now() - 60_000).toISOString();
  await billing.send([
    { type: "call.completed", organization, time: last, value: largest },
    {
      type: "transcription.completed",
      organization,
      job: "z",
      time: last,
      value: largest,
      properties: { accuracy: 50 },
    },
  ]);
  for (const path of [
    "/v1/overview",
    `/v1/overview?node=${node}`,
    "/v1/organizations",
    "/v1/organizations?sort=-call_minutes",
    `/v1/period?node=${node}`,
    `/v1/entitlements/call_minutes?node=${node}`,
    `/v1/charges?node=${node}`,
    `/v1/statements?node=${node}`,
    "/v1/jobs",
    "/v1/live",
  ]) {
    const { status, text } = await get(path);
    expect([path, status === 400 && path.includes("sort") ? 200 : status, text.slice(0, 200)]).toEqual([
      path,
      200,
      text.slice(0, 200),
    ]);
    expect(text).not.toMatch(/NaN|Infinity/);
  }
  expect(await billing.run("2026-04-15T00:00:00Z")).toBeGreaterThan(0);
  const { statements } = await billing.get(`/v1/statements?node=${node}`);
  const march = statements.find(({ from }: { from: string }) => from.startsWith("2026-03-01"));
  const statement = await billing.get(`/v1/statements/${march.id}`);
  const lines = statement.charges.flatMap(({ lines }: { lines: { feature: string; amount: string }[] }) => lines);
  // Two calls but for the minute that is included, in billionths, at a price in trillionths, to the cent.
  const cost = (2n * BigInt(largest.replace(".", "")) - 10n ** 9n) * BigInt(unitPrice.replace(".", ""));
  const cents = (cost + 10n ** 19n / 2n) / 10n ** 19n;
  expect(lines.find(({ feature }: { feature: string }) => feature === "call_minutes")?.amount).toBe(
    `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`,
  );
});
