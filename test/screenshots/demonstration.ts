/** The demonstration whose pages are looked at: one that runs, or one of this run's own. */
import { env } from "node:process";
import { eventually, startService } from "../support/service.ts";

export interface Demonstration {
  url: string;
  email: string;
  password: string;
  /** Ends what was started for it. */
  stop(): Promise<void>;
}

/** The history of ninety days is posted first, then statements and alerts are made. */
const toldWithinMs = 20 * 60_000;

/** `given`: URL, e-mail and password of one that runs. Without them it resolves once the story of its own, in TIDEMARK_DEMO_SIZE, is told. */
export async function demonstration([url, email = "", password = ""]: readonly string[]): Promise<Demonstration> {
  if (url !== undefined) return { url, email, password, stop: async () => undefined };
  const service = await startService({ TIDEMARK_DEMO_SIZE: env.TIDEMARK_DEMO_SIZE ?? "" }, [], ["--demo"]);
  const isTold = () => service.output().includes("Demo: live") || undefined;
  try {
    await eventually("the demonstration's story", isTold, toldWithinMs);
  } catch (error) {
    await service.stop();
    throw error;
  }
  return { url: service.url, email: service.adminEmail, password: service.adminPassword, stop: () => service.stop() };
}
