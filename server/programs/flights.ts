/** The flights of a csv.gz as presence intervals: an aircraft joins the room of its route, flies, and leaves it. */
import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import type { UsageEvent } from "../contract/events.ts";

export interface Flight {
  id: string;
  /** The tail number. */
  user: string;
  /** The carrier. */
  organization: string;
  startMs: number;
  endMs: number;
  room: string;
}

const header = "id,user,group,start_ms,end_ms,origin,dest,distance_miles";

/** Throws when the file is not gzip, or its columns are others than `id,user,group,start_ms,end_ms,origin,dest,distance_miles`. */
export async function readFlights(path: string): Promise<Flight[]> {
  return parseFlights(gunzipSync(await readFile(path)).toString("utf8"));
}

export function parseFlights(csv: string): Flight[] {
  const [first, ...lines] = csv.trimEnd().split(/\r?\n/);
  if (first !== header) throw new Error(`the columns must be ${header}, not ${first}`);
  return lines.map((line, index) => {
    const [id, user, organization, startText, endText, origin, destination, ...rest] = line.split(",");
    const [startMs, endMs] = [Number(startText), Number(endText)];
    if (!id || !user || !organization || !origin || !destination || rest.length !== 1 || !(startMs <= endMs))
      throw new Error(`line ${index + 2} is no flight: ${line}`);
    return { id, user, organization, startMs, endMs, room: `${origin}-${destination}` };
  });
}

/** The two events of a flight. Their ids come from the flight's, so that posting the file again changes nothing. */
export function flightEvents({ id, user, organization, startMs, endMs, room }: Flight): [UsageEvent, UsageEvent] {
  const flight = { organization, user, session: id, room, interval: id };
  return [
    { id: `${id}.joined`, type: "participant.joined", time: new Date(startMs).toISOString(), ...flight },
    { id: `${id}.left`, type: "participant.left", time: new Date(endMs).toISOString(), ...flight },
  ];
}
