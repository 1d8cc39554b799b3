/** The same durations sent in minutes and in seconds come to the same figures, digit for digit. */
import { dayMs } from "../contract/durations.ts";
import type { UsageEvent } from "../contract/events.ts";
import { nodeAddress } from "../contract/node-address.ts";
import { Emitter } from "../emitter/emitter.ts";
import type { Connection } from "./connection.ts";
import type { Flight } from "./flights.ts";
import type { Comparison } from "./oracle.ts";
import { UsageApi } from "./usage-api.ts";

/** Ends what hangs, also behind other work in line: how fast it is, the benches say. */
const visibleWithinMs = 45 * 60_000;

/** Each flight as a call of its length, for two organizations of every carrier: one is sent minutes, the other seconds. */
export async function compareUnits(flights: readonly Flight[], connection: Connection): Promise<Comparison> {
  const emitter = new Emitter({ ...connection, eventsPerRequest: 5_000 });
  await emitter.send(flights.flatMap((flight) => [callOf(flight, "minutes"), callOf(flight, "seconds")]));
  const { rejected } = await emitter.flush();
  const api = new UsageApi(connection);
  await api.whenVisible(visibleWithinMs);
  const comparison: Comparison = { passed: 0, differences: rejected === 0 ? [] : [`${rejected} calls were rejected`] };
  const ends = flights.map(({ endMs }) => endMs).sort((a, b) => a - b);
  const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const range = { from: dateOf((ends[0] ?? 0) - dayMs), to: dateOf((ends.at(-1) ?? 0) + 2 * dayMs) };
  for (const carrier of new Set(flights.map(({ organization }) => organization))) {
    const daysOf = async (unit: Unit) => {
      const node = nodeAddress("organization", `${carrier}-${unit}`);
      const { meters } = await api.usage({
        meter: "call_minutes",
        node,
        window: "day",
        tz: "America/Chicago",
        ...range,
      });
      return meters[0]?.series ?? [];
    };
    const [minutes, seconds] = [await daysOf("minutes"), await daysOf("seconds")];
    for (const [index, { start, value }] of minutes.entries())
      if (value === seconds[index]?.value) comparison.passed++;
      else
        comparison.differences.push(`${carrier} ${start}: ${value} minutes, but ${seconds[index]?.value} of seconds`);
  }
  return comparison;
}

type Unit = "minutes" | "seconds";

function callOf({ id, organization, startMs, endMs }: Flight, unit: Unit): UsageEvent {
  const seconds = (endMs - startMs) / 1000;
  return {
    id: `${id}.${unit}`,
    type: "call.completed",
    organization: `${organization}-${unit}`,
    time: new Date(endMs).toISOString(),
    ...(unit === "seconds" ? { seconds: String(seconds) } : { value: String(seconds / 60) }),
  };
}
