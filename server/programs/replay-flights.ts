/** Posts flights through the API in an order that an exact service must not mind: shuffled, some twice, some days late. */
import type { UsageEvent } from "../contract/events.ts";
import { Emitter, type Totals } from "../emitter/emitter.ts";
import type { Connection } from "./connection.ts";
import { planDelivery } from "./delivery.ts";
import { type Flight, flightEvents } from "./flights.ts";
import { seededRandom } from "./random.ts";
import { UsageApi } from "./usage-api.ts";

const repeatedShare = 0.05;
const lateShare = 0.01;
const eventsPerRequest = 1_000;
/** Ends what hangs, also behind other work in line: how fast it is, the benches say. */
const visibleWithinMs = 45 * 60_000;

export interface ReplayResult extends Totals {
  sent: number;
  /** From the first event until all could be queried. */
  seconds: number;
}

/** Resolves when everything can be queried. */
export async function replayFlights(
  flights: readonly Flight[],
  { connection, seed, onProgress, onPosted }: ReplayOptions,
): Promise<ReplayResult> {
  const random = seededRandom("replay", seed);
  const { inTime, repeated, late } = planDelivery(flights.flatMap(flightEvents), { repeatedShare, lateShare, random });
  const emitter = new Emitter({ ...connection, eventsPerRequest });
  const total = inTime.length + repeated.length + late.length;
  let sent = 0;
  const startedAtMs = performance.now();
  for (const part of [inTime, repeated, late]) {
    for (let from = 0; from < part.length; from += eventsPerRequest) {
      const events: UsageEvent[] = part.slice(from, from + eventsPerRequest);
      await emitter.send(events);
      sent += events.length;
      onProgress(sent, total);
    }
    await emitter.flush();
  }
  onPosted();
  await new UsageApi(connection).whenVisible(visibleWithinMs);
  return { ...emitter.totals, sent, seconds: (performance.now() - startedAtMs) / 1000 };
}

export interface ReplayOptions {
  connection: Connection;
  seed: number;
  /** Told how many of how many events were handed over. */
  onProgress: (sent: number, total: number) => void;
  /** Called when every event is answered, before the wait until all can be queried. */
  onPosted: () => void;
}

const number = new Intl.NumberFormat("en");

/** The lines that end a replay: what was sent, how fast, and what became of it. */
export function describeReplay({
  sent,
  seconds,
  accepted,
  duplicates,
  rejected,
  rejections,
  retries,
}: ReplayResult): string {
  const lines = [
    `${number.format(sent)} events in ${seconds.toFixed(1)} s until all could be queried: ${number.format(Math.round(sent / seconds))} events/s`,
    `${number.format(accepted)} accepted, ${number.format(duplicates)} duplicates, ${number.format(rejected)} rejected, ${number.format(retries)} retries`,
  ];
  for (const { id, code, field, message } of rejections)
    lines.push(`  rejected ${id}: ${code} ${field ?? ""} ${message}`);
  return lines.join("\n");
}
