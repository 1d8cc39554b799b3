/**
 * The meetings of an organization and every event that its application sends about them. All of it follows from the seed,
 * the organization and the hour alone: asked again, also by another process, the same events come with the same ids.
 */
import { dayMs, hourMs, minuteMs } from "../contract/durations.ts";
import type { UsageEvent } from "../contract/events.ts";
import { logNormal, pick, poisson, type Random, seededRandom } from "../programs/random.ts";
import type { DemoOrganization } from "./demo-accounts.ts";
import { extrasOf } from "./meeting-extras.ts";
import { isLive, liveMinutes, meetingsPerHour, thrownOutAt } from "./rhythm.ts";
import type { Demonstration, TimedEvent } from "./timed-event.ts";

/** No meeting lasts longer, so no event lies further than this after its meeting's hour, except late transcriptions. */
const longestMeetingMs = 3 * hourMs;
const longestTranscriptionMs = hourMs;
/** Events of an hour's meetings lie within this long after the hour began. */
export const hourReachMs = hourMs + longestMeetingMs + longestTranscriptionMs;

const signOfLifeEveryMs = 15_000;
/** Seconds of silence after which an interval counts as over: a participant whose device vanished. */
const aliveWithin = 120;

const rooms = ["Atrium", "Board", "Daily", "Workshop", "Review", "Open floor", "Room 7", "Studio", "Front desk", "Lab"];
const devices = ["desktop", "mobile", "browser", "tablet"];
const givenNames = [
  "ada",
  "ben",
  "chen",
  "dana",
  "elif",
  "finn",
  "gaia",
  "hugo",
  "ines",
  "jun",
  "kofi",
  "lena",
  "mira",
];
const familyNames = ["abel", "brandt", "castro", "dubois", "eklund", "ferri", "gupta", "haas", "ito", "jansen", "kim"];

/** How long participants stay before their connection drops and they come back, on average. */
const historicStayMs = 4 * hourMs;
const liveStayMs = 5 * minuteMs;

/** A launch that the whole world watches, once: the highest day of the history. */
const launch = { organization: "redwood-robotics", day: 72, hourUtc: 17, participants: 460, minutes: 55 };

/** Every event of the meetings that start in the hour from `hourStartMs`, in no order. */
export function eventsOfHour(
  organization: DemoOrganization,
  hourStartMs: number,
  demonstration: Demonstration,
  withSignsOfLife: boolean,
): TimedEvent[] {
  const { seed, firstMs, size } = demonstration;
  const random = seededRandom("hour", seed, organization.id, hourStartMs);
  const count = poisson(size * meetingsPerHour(organization, hourStartMs, firstMs), random);
  const usualMinutes = organization.meetingMinutes * (isLive(hourStartMs, firstMs) ? liveMinutes : 1);
  const events: TimedEvent[] = [];
  for (let index = 0; index < count; index++) {
    const meeting: Meeting = {
      id: `${organization.id}-${(hourStartMs / hourMs).toString(36)}-${index}`,
      organization,
      startMs: hourStartMs + startWithinHour(organization, random),
      minutes: Math.min(longestMeetingMs / minuteMs, logNormal(usualMinutes, 0.5, random)),
      participants: Math.max(2, Math.min(200, poisson(logNormal(organization.meetingSize, 0.35, random), random))),
      medium: random() < 0.06 ? "video_audio" : undefined,
    };
    events.push(...new MeetingEvents(meeting, random, firstMs, withSignsOfLife).all(seed));
  }
  if (isLaunch(organization, hourStartMs, firstMs)) {
    const { minutes } = launch;
    const participants = Math.ceil(launch.participants * size);
    const startMs = hourStartMs + 2 * minuteMs;
    const meeting: Meeting = { id: "launch", organization, startMs, minutes, participants, medium: "video_audio" };
    events.push(...new MeetingEvents(meeting, random, firstMs, withSignsOfLife).all(seed));
  }
  return events;
}

function isLaunch(organization: DemoOrganization, hourStartMs: number, firstMs: number): boolean {
  if (organization.id !== launch.organization) return false;
  const midnightMs = Math.floor(firstMs / dayMs + launch.day) * dayMs;
  return hourStartMs === midnightMs + launch.hourUtc * hourMs;
}

/** Offices meet on the hour and the half hour; a desk is called at any minute. */
function startWithinHour({ rhythm }: DemoOrganization, random: Random): number {
  if (rhythm === "around_the_clock" || random() < 0.3) return Math.floor(random() * hourMs);
  return pick([0, 0, 30, 30, 15, 45], random) * minuteMs + Math.floor(random() * 90_000);
}

interface Meeting {
  id: string;
  organization: DemoOrganization;
  startMs: number;
  minutes: number;
  participants: number;
  /** When the meeting is broadcast. */
  medium: string | undefined;
}

/** Writes down a meeting's events in one fixed order of decisions, so that ids do not depend on what is asked for. */
class MeetingEvents {
  readonly #meeting: Meeting;
  readonly #random: Random;
  readonly #room: string;
  readonly #agent: string | undefined;
  readonly #endMs: number;
  readonly #meanStayMs: number;
  readonly #withSignsOfLife: boolean;
  readonly #events: TimedEvent[] = [];
  readonly #signsOfLife: TimedEvent[] = [];

  constructor(meeting: Meeting, random: Random, firstMs: number, withSignsOfLife: boolean) {
    this.#meeting = meeting;
    this.#withSignsOfLife = withSignsOfLife;
    this.#random = random;
    const { organization, startMs, minutes } = meeting;
    this.#meanStayMs = isLive(startMs, firstMs) ? liveStayMs : historicStayMs;
    const endMs = startMs + Math.round(minutes * minuteMs);
    this.#endMs = thrownOutAt(organization, startMs, endMs, firstMs) ?? endMs;
    this.#room = pick(rooms, random);
    this.#agent = organization.rhythm === "around_the_clock" ? `desk-${1 + Math.floor(random() * 12)}` : undefined;
  }

  all(seed: number): TimedEvent[] {
    const meeting = this.#meeting;
    const random = this.#random;
    const users = this.#users();
    for (const [index, user] of users.entries()) this.#participant(index, user);
    if (random() < 0.22) this.#recording(users[0] as string);
    if (random() < 0.15) this.#captions();
    if (random() < 0.1) this.#during("whiteboard", "opened", "closed", {});
    if (meeting.medium) this.#during("broadcast", "started", "stopped", { medium: meeting.medium });
    this.#posts(users);
    if (random() < 0.3) this.#transcription(users[0] as string);
    this.#add(this.#endMs, "session.ended", {});
    const extras = extrasOf(
      { ...meeting, endMs: this.#endMs, users },
      seededRandom("extras", seed, meeting.id),
      ({ id, type, atMs, ...fields }) => ({ atMs, event: this.#event(id, type, atMs, fields) }),
    );
    return [...this.#events, ...extras, ...this.#signsOfLife];
  }

  /** Colleagues meet more often than others: the first names of a long list come up most. */
  #users(): string[] {
    const meeting = this.#meeting;
    const random = this.#random;
    const pool = Math.ceil(meeting.organization.meetingsPerDay * meeting.organization.meetingSize * 0.6) + 20;
    const chosen = new Set<string>();
    for (let number = 0; chosen.size < meeting.participants; number++) {
      const rank = number < 4 * meeting.participants ? Math.floor(pool * random() ** 1.8) : pool + number;
      const given = givenNames[rank % givenNames.length] as string;
      const family = familyNames[Math.floor(rank / givenNames.length) % familyNames.length] as string;
      chosen.add(`${given}.${family}.${Math.floor(rank / (givenNames.length * familyNames.length)) + 1}`);
    }
    return [...chosen];
  }

  #participant(index: number, user: string): void {
    const random = this.#random;
    const meeting = this.#meeting;
    const endMs = this.#endMs;
    const device = pick(devices, random);
    const lengthMs = endMs - meeting.startMs;
    let joinedMs =
      meeting.startMs + (index === 0 ? 0 : Math.floor(Math.min(lengthMs * 0.8, -Math.log(1 - random()) * 150_000)));
    const leaves =
      random() < 0.15 ? joinedMs + Math.floor(random() * (endMs - joinedMs)) : endMs - Math.floor(random() * 20_000);
    const lastMs = Math.max(joinedMs + 1_000, leaves);
    for (let visit = 0; joinedMs < lastMs; visit++) {
      const stayMs = 5_000 - Math.log(1 - random()) * this.#meanStayMs;
      const leftMs = Math.floor(Math.min(lastMs, joinedMs + stayMs));
      const interval = `${meeting.id}.p${index}.${visit}`;
      const properties = { device, alive_within: aliveWithin };
      this.#add(joinedMs, "participant.joined", { user, interval, properties });
      this.#alive("participant.alive", joinedMs, leftMs, { user, interval, properties: { alive_within: aliveWithin } });
      this.#add(leftMs, "participant.left", { user, interval });
      joinedMs = leftMs + 10_000 + Math.floor(random() * 40_000);
    }
  }

  #recording(user: string): void {
    const { fromMs, toMs } = this.#span();
    const interval = `${this.#meeting.id}.recording`;
    const properties = { alive_within: aliveWithin };
    this.#add(fromMs, "recording.started", { user, interval, properties });
    this.#alive("recording.alive", fromMs, toMs, { interval, properties });
    this.#add(toMs, "recording.stopped", { user, interval });
    const value = minutesBetween(fromMs, toMs);
    this.#add(toMs + 4_000, "recording.stored", { user, value });
  }

  #captions(): void {
    this.#during("captions", "enabled", "disabled", { language: this.#meeting.organization.language });
  }

  #during(level: string, started: string, stopped: string, properties: NonNullable<UsageEvent["properties"]>): void {
    const { fromMs, toMs } = this.#span();
    const interval = `${this.#meeting.id}.${level}`;
    this.#add(fromMs, `${level}.${started}`, { interval, properties });
    if (level === "broadcast")
      this.#alive("broadcast.alive", fromMs, toMs, {
        interval,
        properties: { ...properties, alive_within: aliveWithin },
      });
    this.#add(toMs, `${level}.${stopped}`, { interval, properties });
  }

  #posts(users: readonly string[]): void {
    const random = this.#random;
    const meeting = this.#meeting;
    const endMs = this.#endMs;
    const lengthMs = endMs - meeting.startMs;
    const perParticipant = meeting.organization.rhythm === "around_the_clock" ? 0.6 : 0.4;
    for (let left = poisson(users.length * perParticipant, random); left > 0; left--) {
      const properties = { visibility: random() < 0.74 ? "public" : "private" };
      this.#add(meeting.startMs + Math.floor(random() * lengthMs), "chat.posted", {
        user: pick(users, random),
        properties,
      });
    }
    for (let left = poisson(users.length * 0.04, random); left > 0; left--) {
      const askedMs = meeting.startMs + Math.floor(random() * lengthMs * 0.9);
      this.#add(askedMs, "question.posted", { user: pick(users, random) });
      if (random() < 0.8) this.#add(Math.min(endMs, askedMs + 90_000), "answer.posted", { user: users[0] });
    }
  }

  #transcription(user: string): void {
    const random = this.#random;
    const meeting = this.#meeting;
    const endMs = this.#endMs;
    const job = `${meeting.id}.transcription`;
    const isLive = random() < 0.35;
    const minutes = minutesBetween(meeting.startMs, endMs);
    const properties = {
      language: meeting.organization.language,
      model: random() < 0.7 ? "standard" : "enhanced",
      kind: isLive || random() < 0.3 ? "caption" : "transcript",
      format: pick(["vtt", "srt", "docx", "txt"], random),
      mode: isLive ? "realtime" : "batch",
    };
    const requestedMs = isLive ? meeting.startMs + 5_000 : endMs + 2_000;
    const startedMs = requestedMs + 1_000 + Math.floor(random() * 20_000);
    const workMs = Math.min(longestTranscriptionMs / 2, (endMs - meeting.startMs) * (0.08 + 0.1 * random()));
    const completedMs = isLive ? Math.max(startedMs, endMs) + 1_500 : startedMs + Math.floor(workMs);
    this.#add(requestedMs, "transcription.requested", { user, job, properties });
    this.#add(startedMs, "transcription.started", { user, job, properties });
    if (random() < 0.02) {
      this.#add(completedMs, "transcription.failed", {
        user,
        job,
        properties: { ...properties, reason: "no speech found" },
      });
      return;
    }
    const accuracy = Number((97.5 - 9 * random() * (properties.model === "standard" ? 1 : 0.4)).toFixed(2));
    const length = Math.round(Number(minutes) * (95 + 60 * random()));
    this.#add(completedMs, "transcription.completed", {
      user,
      job,
      value: minutes,
      properties: { ...properties, accuracy, length },
    });
  }

  /** A part of the meeting, as something has that is switched on after its start and off before or at its end. */
  #span(): { fromMs: number; toMs: number } {
    const random = this.#random;
    const meeting = this.#meeting;
    const endMs = this.#endMs;
    const lengthMs = endMs - meeting.startMs;
    const fromMs = meeting.startMs + Math.floor(lengthMs * 0.25 * random());
    return { fromMs, toMs: endMs - Math.floor(lengthMs * 0.2 * random()) };
  }

  #alive(type: string, fromMs: number, toMs: number, fields: Partial<UsageEvent>): void {
    if (!this.#withSignsOfLife) return;
    for (let atMs = fromMs + signOfLifeEveryMs, beat = 1; atMs < toMs; atMs += signOfLifeEveryMs, beat++)
      this.#signsOfLife.push({ atMs, event: this.#event(`${fields.interval}.alive.${beat}`, type, atMs, fields) });
  }

  #add(atMs: number, type: string, fields: Partial<UsageEvent>): void {
    this.#events.push({ atMs, event: this.#event(`${this.#meeting.id}.${this.#events.length}`, type, atMs, fields) });
  }

  #event(id: string, type: string, atMs: number, fields: Partial<UsageEvent>): UsageEvent {
    const { id: session, organization } = this.#meeting;
    const agent = this.#agent;
    const time = new Date(atMs).toISOString();
    return { id, type, time, organization: organization.id, agent, session, room: this.#room, ...fields };
  }
}

/** Exact to the hundredth, as a decimal. */
function minutesBetween(fromMs: number, toMs: number): string {
  return ((toMs - fromMs) / minuteMs).toFixed(2);
}
