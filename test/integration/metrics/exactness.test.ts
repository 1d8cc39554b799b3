import { afterAll, beforeAll, expect, test } from "vitest";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";

let ingesting: Ingesting;
beforeAll(async () => {
  ingesting = await startIngesting();
});
afterAll(() => ingesting.close());

/** The same numbers on both sides: a linear congruence of 64 bits, cut to ± 500,000 with 9 decimals. */
const values = 500_000;
/** A batch is one block. */
const batches = 10;
const span = 10n ** 15n;
const unitsSql = `toInt64((number * 6364136223846793005 + 1442695040888963407) % ${span}) - ${span / 2n}`;
const unitsOf = (place: bigint) =>
  (BigInt.asUintN(64, place * 6364136223846793005n + 1442695040888963407n) % span) - span / 2n;

test("the sum of 500,000 random decimals is exact to 9 places, in whatever order and batches they come", async () => {
  for (const [organization, part] of [
    ["in-order", `intDiv(number, ${values / batches})`],
    ["shuffled", `cityHash64(number) % ${batches}`],
  ])
    for (let batch = 0; batch < batches; batch++)
      await ingesting.store.clickhouse.command(
        `INSERT INTO usage_events (organization, id, time, type, value, dims, properties, batch, sign)
        SELECT '${organization}', toString(number), toDateTime64('2026-03-01 00:00:00', 3, 'UTC') + number % 86400, 'transcription.completed',
          divideDecimal(toDecimal128(${unitsSql}, 0), toDecimal128(1000000000, 0), 9), '{}', '{}', ${batch + 1}, 1
        FROM numbers(${values}) WHERE ${part} = ${batch}`,
      );
  let expected = 0n;
  for (let place = 0n; place < values; place++) expected += unitsOf(place);
  const negative = expected < 0n;
  const digits = String(negative ? -expected : expected).padStart(10, "0");
  const written = `${negative ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, "");
  for (const organization of ["in-order", "shuffled"]) {
    const range = { node: `organization:${organization}`, from: "2026-03-01", to: "2026-03-02" };
    const [minutes] = await ingesting.usage({ ...range, meter: "transcribed_minutes", window: "hour" });
    expect(minutes?.total).toBe(written);
    const [counted] = await ingesting.usage({ ...range, meter: "documents" });
    expect(counted?.total).toBe(values);
  }
});

test("a distinct count is exact beyond 65,536, and says so", async () => {
  const users = 66_000;
  for (let first = 0; first < users; first += 6_000) {
    const left = Array.from({ length: 6_000 }, (_, place) => ({
      id: String(first + place),
      type: "participant.left",
      organization: "crowd",
      session: `s${(first + place) % 100}`,
      user: `u${first + place}`,
      interval: `i${first + place}`,
      started_at: "2026-03-04T10:00:00Z",
      time: "2026-03-04T10:30:00Z",
    }));
    await ingesting.send(left);
  }
  const [active] = await ingesting.usage({
    meter: "active_participants",
    node: "organization:crowd",
    from: "2026-03-04",
    to: "2026-03-05",
  });
  expect(active).toMatchObject({ total: users, relative_error: 0 });
});
