/** What organizations use besides meetings: automatic agents that take calls, recordings that are transcribed, the API. */
import { hourMs, minuteMs } from "../contract/durations.ts";
import type { UsageEvent } from "../contract/events.ts";
import { logNormal, pick, poisson, type Random, seededRandom } from "../programs/random.ts";
import { agentOrganizations, type DemoOrganization } from "./demo-accounts.ts";
import { meetingsPerHour } from "./rhythm.ts";
import type { Demonstration, TimedEvent } from "./timed-event.ts";

/** Models that were trained for somebody, by the organizations that have their recordings transcribed with them. */
export const customModelOf: Readonly<Record<string, string>> = {
  "cascadia-health": "cascadia-clinical",
  "thornbury-law": "brightwater-legal",
  "maison-delcourt": "brightwater-legal",
  "sakura-learning": "sakura-classroom",
};

const agents = ["reception", "billing-assistant", "night-desk"];
/** Those whose own software asks the API. */
const apiOrganizations = ["hartmann-maschinenbau", "redwood-robotics", "banyan-softworks", "juniper-analytics"];

type Add = (type: string, atMs: number, fields?: Partial<UsageEvent>) => void;

/** Every event of what begins in the hour from `hourStartMs`, in no order; by its ids apart from those of meetings. */
export function usesOfHour(
  organization: DemoOrganization,
  hourStartMs: number,
  { seed, firstMs, size }: Demonstration,
): TimedEvent[] {
  const random = seededRandom("beside", seed, organization.id, hourStartMs);
  const meetings = size * meetingsPerHour(organization, hourStartMs, firstMs);
  const events: TimedEvent[] = [];
  const add: Add = (type, atMs, fields) => {
    const id = `${organization.id}-${(hourStartMs / hourMs).toString(36)}-b${events.length}`;
    const event = { id, type, organization: organization.id, time: new Date(atMs).toISOString(), ...fields };
    events.push({ atMs, event });
  };
  const often = (perMeeting: number, what: (atMs: number) => void) => {
    for (let left = poisson(perMeeting * meetings, random); left > 0; left--)
      what(hourStartMs + Math.floor(random() * hourMs));
  };
  if (agentOrganizations.includes(organization.id)) answerByAgents({ hourStartMs, firstMs }, often, add, random);
  if (apiOrganizations.includes(organization.id))
    often(0.6, (atMs) => add("api.called", atMs, { user: `${organization.id}-backend` }));
  const model = customModelOf[organization.id];
  if (model !== undefined) often(0.15, (atMs) => transcribeUpload(organization, model, atMs, add, random));
  often(0.02, (atMs) =>
    add("user.signed_up", atMs, { user: `${organization.id}.${Math.floor(random() * 1e9).toString(36)}` }),
  );
  return events;
}

function answerByAgents(
  { hourStartMs, firstMs }: { hourStartMs: number; firstMs: number },
  often: (perMeeting: number, what: (atMs: number) => void) => void,
  add: Add,
  random: Random,
): void {
  // Three lines to the telephone network to begin with; one is given back in the second month.
  if (hourStartMs === firstMs)
    for (let line = 1; line <= 3; line++) add("sip.installed", firstMs, { agent: "reception" });
  if (hourStartMs === firstMs + 45 * 24 * hourMs) add("sip.removed", hourStartMs, { agent: "reception" });
  often(0.3, (endedMs) => {
    const minutes = Math.min(30, logNormal(3, 0.6, random)).toFixed(2);
    const startedMs = endedMs - Math.round(Number(minutes) * minuteMs);
    const call = { agent: pick(agents, random), value: minutes, started_at: new Date(startedMs).toISOString() };
    add("call.completed", endedMs, call);
  });
  often(0.2, (atMs) => add("chat_session.completed", atMs, { agent: pick(agents, random) }));
  often(0.15, (atMs) => add("email.sent", atMs, { agent: pick(agents, random) }));
}

function transcribeUpload(
  { id, language }: DemoOrganization,
  model: string,
  atMs: number,
  add: Add,
  random: Random,
): void {
  const job = `${id}-upload-${atMs.toString(36)}`;
  const user = `${id}-archive`;
  const properties = { language, model, kind: "transcript", format: "docx", mode: "batch" };
  const minutes = Math.min(90, logNormal(24, 0.6, random));
  add("transcription.requested", atMs, { user, job, properties });
  add("transcription.started", atMs + 3_000, { user, job, properties });
  const accuracy = Number((98.6 - 1.5 * random()).toFixed(2));
  const length = Math.round(minutes * 130);
  add("transcription.completed", atMs + Math.round(minutes * 0.1 * minuteMs), {
    user,
    job,
    value: minutes.toFixed(2),
    properties: { ...properties, accuracy, length },
  });
  add("custom_model.used", atMs, { user, properties: { model, language } });
  if (random() < 0.5) add("glossary.used", atMs, { user, properties: { language } });
}
