import { area } from "../area.ts";
import { counted } from "../counted.ts";

export const sessionsTexts = area("sessions", {
  sessions: "The sessions",
  session: "Session",
  organization: "Organization",
  started: "Started",
  lasted: "Lasted",
  people: "People",
  open: "open",
  notYet: "not yet",
  atOnce: (peakParticipants: string) => `${peakParticipants} at once`,
  peopleInSentence: "people",
  noSessionsInThisPeriod: "No sessions in this period.",
  stillOpen: "still open",
  timedOut: ", timed out",
  fromTz: (startedAt: string, tz: string) => `from ${startedAt} ${tz}`,
  notStarted: "not started",
  lastedDurationMs: (durationMs: string) => `lasted ${durationMs}`,
  theSession: "The session",
  timeline: "Timeline",
  nothingHasStartedYet: "Nothing has started yet.",
  firstAreDrawnShowMore: (count: string) => `The first ${count} are drawn: show more`,
  inTz: (tz: string) => `in ${tz}`,
  sessionsLabel: "Sessions",
  newestFirst: (node: string, span: string) => `${node}, ${span}, the newest first`,
  somebody: "somebody",
  everybody: "all",
  peopleAtOnce: (people: number, peak: string, at: string | undefined) =>
    `${counted(people, { one: "# person", other: "# people" })}, ${peak} at once${at === undefined ? "" : ` at ${at}`}. Press a line for its events.`,
});
