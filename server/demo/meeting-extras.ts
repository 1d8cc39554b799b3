/** What happens in some meetings besides: who watches a broadcast, shared screens, breakout rooms, translations, glossaries. */
import type { UsageEvent } from "../contract/events.ts";
import { pick, type Random } from "../programs/random.ts";
import type { DemoOrganization } from "./demo-accounts.ts";
import type { TimedEvent } from "./timed-event.ts";

interface Held {
  id: string;
  organization: DemoOrganization;
  startMs: number;
  endMs: number;
  users: readonly string[];
  /** When the meeting is broadcast. */
  medium: string | undefined;
}

type Extra = { id: string; type: string; atMs: number } & Partial<Omit<UsageEvent, "id" | "type">>;

const media = ["video_audio", "video_audio", "video_audio", "audio", "video", "screenshare"];
const translatedTo = ["en", "es", "fr", "de", "pt", "ja"];
const mostViewers = 8;

/** By their ids apart from the meeting's other events, whose decisions do not depend on these. */
export function extrasOf(meeting: Held, random: Random, timed: (extra: Extra) => TimedEvent): TimedEvent[] {
  const { id, organization, startMs, endMs, users } = meeting;
  const extras: TimedEvent[] = [];
  const add = (type: string, atMs: number, fields: Partial<UsageEvent>) =>
    extras.push(timed({ ...fields, id: `${id}.x${extras.length}`, type, atMs }));
  const lengthMs = endMs - startMs;
  const during = (level: string, [started, stopped]: [string, string], fields: Partial<UsageEvent>) => {
    const fromMs = startMs + Math.floor(lengthMs * 0.4 * random());
    const interval = `${id}.${level}.${extras.length}`;
    add(`${level}.${started}`, fromMs, { ...fields, interval });
    add(`${level}.${stopped}`, endMs - Math.floor((endMs - fromMs) * 0.5 * random()), { ...fields, interval });
  };
  if (random() < 0.05) during("broadcast", ["started", "stopped"], { properties: { medium: pick(media, random) } });
  if (users.length > 5 && random() < 0.12) during("breakout", ["opened", "closed"], {});
  const viewers = meeting.medium || random() < 0.04 ? Math.min(mostViewers, users.length) : 0;
  for (const user of users.slice(0, viewers))
    during("consumption", ["started", "stopped"], { user, properties: { medium: pick(media, random) } });
  const [user] = users;
  const language = pick(translatedTo, random);
  if (random() < 0.06) add("translation.completed", endMs, { user, properties: { language } });
  if (random() < 0.05) add("glossary.used", endMs, { user, properties: { language: organization.language } });
  return extras;
}
