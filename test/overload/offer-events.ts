/** Sends events as fast as it is asked to and keeps account of the answers. */
import type { Verdict } from "../../server/contract/events.ts";

export interface Tally {
  acknowledged: number;
  answers: Map<string, number>;
  /** For requests that were answered 202, ms. */
  latencies: number[];
}

export const newTally = (): Tally => ({ acknowledged: 0, answers: new Map(), latencies: [] });
let sequence = 0;

/** `events` events in one request; true when it was taken. */
export async function post(url: string, key: string, events: number, tally: Tally): Promise<boolean> {
  const first = sequence;
  sequence += events;
  let body = "";
  for (let id = first; id < sequence; id++) body += `{"id":"o${id}","type":"api.called","organization":"acme"}\n`;
  const startedAt = performance.now();
  let outcome: string;
  try {
    const response = await fetch(`${url}/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/x-ndjson" },
      body,
      signal: AbortSignal.timeout(60_000),
    });
    outcome = String(response.status);
    const answer = (await response.json()) as Verdict;
    if (response.status === 202) {
      tally.acknowledged += answer.accepted;
      tally.latencies.push(performance.now() - startedAt);
    }
  } catch {
    outcome = "no answer";
  }
  tally.answers.set(outcome, (tally.answers.get(outcome) ?? 0) + 1);
  return outcome === "202";
}

export function describe({ acknowledged, answers, latencies }: Tally): string {
  const sorted = [...latencies].sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  const answered = [...answers].map(([status, count]) => `${count} × ${status}`).join(", ");
  return `${acknowledged} events acknowledged; answers ${answered || "none"}; 202 after p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}

export const faults: string[] = [];
/** Prints the figure, and keeps it as a fault when it is too large. */
export function expectAtMost(what: string, found: number, most: number): void {
  console.log(`  ${what}: ${found} (at most ${most})`);
  if (!(found <= most)) faults.push(`${what}: ${found}, more than ${most}`);
}
