import { area } from "../area.ts";
import { counted } from "../counted.ts";

export const sessionsTexts = area("sessions", {
  theSessions: "The sessions",
  session: "Session",
  organization: "Organization",
  started: "Started",
  duration: "Duration",
  people: "People",
  open: "open",
  inNoSession: (interval: string) => `${interval}, in no session`,
  notStartedYet: "not yet",
  peopleAtOnceShort: (peakParticipants: string) => `At most ${peakParticipants} at once`,
  peopleInSentence: "people",
  noSessionsInThisPeriod: "No sessions in this period.",
  stillOpen: "still open",
  timedOut: ", timed out",
  startedAt: (startedAt: string, tz: string) => `from ${startedAt} ${tz}`,
  notStarted: "not started",
  lasted: (durationMs: string) => `lasted ${durationMs}`,
  theSession: "The session",
  timeline: "Timeline",
  nothingHasStartedYet: "Nothing has started yet.",
  firstAreDrawnShowMore: (count: string) => `The first ${count} are shown. Show more`,
  inTz: (tz: string) => `in ${tz}`,
  sessions: "Sessions",
  newestFirst: (node: string, span: string) => `${node}, ${span}, newest first`,
  somebody: "someone",
  everybody: "all",
  peopleAtOnce: (people: number, peak: string, at: string | undefined) =>
    `${counted(people, { one: "# person", other: "# people" })}, ${peak} at once${at === undefined ? "" : ` at ${at}`}. Press a line to see its events.`,
});
