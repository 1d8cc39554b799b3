/**
 * What one caller's doings cost everybody else: how long a bystander's trivial request waits meanwhile, beside how long it
 * waits when nobody does anything, and how much memory the server's process takes for it.
 */
import { setTimeout as delay } from "node:timers/promises";
import { patienceMs } from "./patience.ts";
import { forgetPeak, residentBytes } from "./process-memory.ts";

export interface Bystander {
  /** The service's. */
  url: string;
  /** The bystander's own key. */
  key: string;
  /** What it asks; by default a question that needs both stores and answers in a moment. */
  path?: string;
  /** The server's process, whose memory is watched. */
  pid: number;
}

export interface Harm<Result> {
  result: Result;
  /** The longest that the bystander waited for an answer while nobody else did anything. */
  quietMs: number;
  /** The longest that it waited meanwhile, also for an answer that never came in full. */
  longestMs: number;
  /** `longestMs` / `quietMs`; a quiet wait counts as `leastQuietMs` at least, so that a fast machine does not make a strict test. */
  ratio: number;
  /** How many answers the bystander got meanwhile, by status; 0: none came. */
  statuses: Map<number, number>;
  /** How far the process' resident memory rose above what it was before, at its highest. */
  grownBytes: number;
}

/** A wait that one stop of the garbage collector or one busy neighbour on the machine can make. */
export const leastQuietMs = 50;

const quietAsks = 20;
/** The bystander asks again so long after it was answered: it is no load of its own. */
const pauseMs = 20;

/** Runs `attack` while the bystander goes on asking. Rejects as `attack` does. */
export async function harmOf<Result>(bystander: Bystander, attack: () => Promise<Result>): Promise<Harm<Result>> {
  const quiet: number[] = [];
  for (let asked = 0; asked < quietAsks; asked++) quiet.push((await ask(bystander)).ms);
  // The first answers warm caches and connections up.
  const quietMs = Math.max(...quiet.slice(quietAsks / 2));
  await forgetPeak(bystander.pid);
  const beforeBytes = await residentBytes(bystander.pid, "VmRSS");
  const waits: number[] = [];
  const statuses = new Map<number, number>();
  let isOver = false;
  const asking = (async () => {
    do {
      const { ms, status } = await ask(bystander);
      waits.push(ms);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      await delay(pauseMs);
    } while (!isOver);
  })();
  let result: Result;
  try {
    result = await attack();
  } finally {
    isOver = true;
    await asking;
  }
  const longestMs = Math.max(...waits);
  const grownBytes = Math.max(0, (await residentBytes(bystander.pid, "VmHWM")) - beforeBytes);
  return { result, quietMs, longestMs, ratio: longestMs / Math.max(quietMs, leastQuietMs), statuses, grownBytes };
}

async function ask({ url, key, path = "/v1/usage?meter=chat_posts&window=total" }: Bystander) {
  const startedAtMs = performance.now();
  const headers = { authorization: `Bearer ${key}` };
  const status = await fetch(new URL(path, url), { headers, signal: AbortSignal.timeout(patienceMs) }).then(
    async (answer) => {
      await answer.arrayBuffer();
      return answer.status;
    },
    () => 0,
  );
  return { ms: performance.now() - startedAtMs, status };
}
