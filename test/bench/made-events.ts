/** Events as emitters send them, for the benchmarks; each is made once, and its id never repeats within a run. */
import type { UsageEvent } from "../../server/contract/events.ts";

let made = 0;

/** Meetings of eight who come, chat and go within a minute, in forty organizations, at the present time. */
export function makeEvents(count: number): UsageEvent[] {
  return Array.from({ length: count }, () => {
    const step = made % 20;
    const meeting = Math.floor(made / 20);
    const place = {
      organization: `bench-${meeting % 40}`,
      session: `session-${meeting}`,
      room: `room-${meeting % 90}`,
    };
    const id = `event-${String(made++).padStart(12, "0")}`;
    const time = new Date(Date.now() - 60_000 + step * 3_000).toISOString();
    const user = `user-${meeting % 4_000}-${step % 8}`;
    const event = { id, time, ...place, user };
    if (step < 8) return { ...event, type: "participant.joined", interval: `${meeting}-${step}` };
    if (step < 11) return { ...event, type: "chat.posted", properties: { visibility: "public", device: "mobile" } };
    if (step < 12) {
      const properties = { language: "en", model: "standard", kind: "transcript", mode: "batch" };
      return { ...event, type: "transcription.completed", value: "12.5", properties };
    }
    return { ...event, type: "participant.left", interval: `${meeting}-${step - 12}` };
  });
}

/** As an `application/x-ndjson` body. */
export const asBody = (events: readonly UsageEvent[]) =>
  Buffer.from(events.map((event) => JSON.stringify(event)).join("\n"));
