/** The command a newcomer pastes to send a first event. */

export interface FirstEvent {
  origin: string;
  /** The API key in full. */
  key: string;
  organization: string;
  /** Fresh for every line shown: the same id again would be counted once, and nothing would seem to happen. */
  eventId: string;
  sessionId: string;
}

/**
 * A POST of one participant who joins now (`time` is left out, so it is the moment of receipt), as one command for any POSIX
 * shell. Values come from this page alone, but are quoted against the shell anyway.
 */
export function firstEventCommand({ origin, key, organization, eventId, sessionId }: FirstEvent): string {
  const event = {
    id: eventId,
    type: "participant.joined",
    organization,
    session: sessionId,
    room: "daily",
    user: "ada",
  };
  return [
    `curl -sS ${quoted(`${origin}/v1/events`)} \\`,
    `  -H ${quoted(`Authorization: Bearer ${key}`)} \\`,
    `  -H ${quoted("Content-Type: application/json")} \\`,
    `  -d ${quoted(JSON.stringify(event))}`,
  ].join("\n");
}

/** One word of a POSIX shell, whatever `text` holds. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
