/** A thin past of those who have been customers for long: one meeting and its transcript each working day, so that years compare. */
import { dayMs, hourMs, minuteMs } from "../contract/durations.ts";
import type { UsageEvent } from "../contract/events.ts";
import { logNormal, type Random, seededRandom } from "../programs/random.ts";
import { demoOrganizations, oldOrganizations } from "./demo-accounts.ts";
import { localHour } from "./rhythm.ts";
import type { Demonstration } from "./timed-event.ts";

/** Before the history. */
export const yearBeforeDays = 320;
const participants = 3;

/** Only for old customers, in the order of the days; its ids are the same at each start. */
export function eventsOfYearBefore({ seed, firstMs, size }: Demonstration): UsageEvent[] {
  const events: UsageEvent[] = [];
  const old = demoOrganizations.filter(({ id }) => oldOrganizations.includes(id));
  for (let day = -yearBeforeDays; day < -1; day++)
    for (const { id, timeZone, language } of old) {
      const random = seededRandom("year before", seed, id, day);
      const dayStartMs = firstMs + day * dayMs;
      const { weekday } = localHour(timeZone, dayStartMs);
      if (weekday === 0 || weekday === 6 || random() > size) continue;
      events.push(...meetingOf({ organization: id, language, startMs: morningOf(dayStartMs, timeZone) }, random));
    }
  return events;
}

/** Ten o'clock where it is, on that day or the next. */
function morningOf(dayStartMs: number, timeZone: string): number {
  const { hour } = localHour(timeZone, dayStartMs);
  return dayStartMs + ((34 - hour) % 24) * hourMs;
}

function meetingOf(
  { organization, language, startMs }: { organization: string; language: string; startMs: number },
  random: Random,
): UsageEvent[] {
  const session = `${organization}-then-${(startMs / hourMs).toString(36)}`;
  const minutes = Math.min(120, logNormal(50, 0.3, random)).toFixed(2);
  const endMs = startMs + Math.round(Number(minutes) * minuteMs);
  const at = (ms: number) => new Date(ms).toISOString();
  const common = { organization, session, room: "Boardroom" };
  const properties = { language, model: "standard", kind: "transcript", format: "docx", mode: "batch" };
  const presence = Array.from({ length: participants }, (_, index): UsageEvent[] => {
    const one = { ...common, user: `ada.abel.${index + 1}`, interval: `${session}.p${index}` };
    return [
      { ...one, id: `${session}.${index}.in`, type: "participant.joined", time: at(startMs + index * minuteMs) },
      { ...one, id: `${session}.${index}.out`, type: "participant.left", time: at(endMs) },
    ];
  });
  return [
    ...presence.flat(),
    {
      ...common,
      id: `${session}.transcript`,
      type: "transcription.completed",
      time: at(endMs + 5 * minuteMs),
      user: "ada.abel.1",
      job: `${session}.transcription`,
      value: minutes,
      properties,
    },
  ];
}
