/** Sessions in words. */
import { sessionsTexts as t } from "../texts/en/sessions.ts";

/** What stands in for the session of an interval that belongs to none (unassigned_intervals.sql). */
const placeholder = /^interval:/;

/** What a session is called: by its room, else by its own name. */
export function sessionName({ room, session }: { room: string | null; session: string }): string {
  if (room !== null) return room;
  return placeholder.test(session) ? t.inNoSession(session.replace(placeholder, "")) : session;
}
