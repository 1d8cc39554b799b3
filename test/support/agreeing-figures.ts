/**
 * One figure, asked for everywhere: what an organization transcribed in a month that is over, and the same again in the month
 * that runs. Set up through the API, as a world of which a file's other tests see one organization more.
 */
import { expect } from "vitest";
import type { TestService } from "./service.ts";

/** More digits than a page shows without being asked, and thousands. */
export const agreedMinutes = "1234.567891";
export const agreedNode = "organization:perihelion";

type Ask = (method: string, path: string, body?: object) => Promise<{ id: string }>;

export interface AgreedMonth {
  /** YYYY-MM-DD, UTC, both included. */
  first: string;
  last: string;
  /** First instant after it. */
  end: string;
}

/** The month before last: its statement is made as soon as the service looks for cycles that are over. */
export function agreedMonth(): AgreedMonth {
  const now = new Date();
  const day = (months: number, ofMonth: number) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months, ofMonth)).toISOString().slice(0, 10);
  return { first: day(-2, 1), last: day(-1, 0), end: day(-1, 1) };
}

/** Ids are of this installation; `dashboard` has one panel, of the month that runs. */
export async function makeAgreeingFigures(ask: Ask): Promise<{ dashboard: string }> {
  const { first } = agreedMonth();
  await ask("POST", "/v1/nodes", { kind: "organization", id: "perihelion", name: "Perihelion" });
  const price = { organization: { model: "graduated", tiers: [{ up_to: null, unit_price: "0.05" }] } };
  const feature = { key: "minutes", meter: "transcribed_minutes", included: "1000", overage: "bill", prices: price };
  const plan = { name: "Orbit", currency: "EUR", fixed_fee: { organization: "49" }, features: [feature] };
  const { id } = await ask("POST", "/v1/plans", plan);
  await ask("POST", `/v1/plans/${id}/publish`);
  await ask("POST", "/v1/subscriptions", { node: agreedNode, plan: id, starts_at: `${first}T00:00:00Z` });
  const condition = { kind: "threshold", meter: "transcribed_minutes", window: "cycle", above: "1000" };
  await ask("POST", "/v1/rules", { name: "Perihelion's minutes", node: agreedNode, scope: "node", condition });
  const event = { organization: "perihelion", user: "ada", properties: { language: "en", model: "standard" } };
  const transcribed = (job: string, time: string) => ({
    ...event,
    id: job,
    job,
    time,
    type: "transcription.completed",
    value: agreedMinutes,
  });
  await ask("POST", "/v1/events?ack=stored", [
    transcribed("past", `${first.slice(0, 8)}15T12:00:00Z`),
    transcribed("now", new Date().toISOString()),
    {
      id: "joined",
      type: "participant.joined",
      time: new Date(Date.now() - 30 * 60_000).toISOString(),
      organization: "perihelion",
      user: "ada",
      session: "s1",
      room: "daily",
    },
  ]);
  const panel = { title: "Minutes", query: `node=${agreedNode}&meters=transcribed_minutes`, width: "full" };
  const view = { name: "Agreeing figures", query: "range=month&tz=UTC", panels: [panel] };
  const { id: dashboard } = await ask("POST", "/v1/views", view);
  return { dashboard };
}

/** Reads what the API answers to the root key. */
export function reader(service: TestService) {
  return async (path: string, mediaType = "application/json"): Promise<Response> => {
    const headers = { authorization: `Bearer ${service.rootKey}`, accept: mediaType };
    const answer = await fetch(service.url + path, { headers });
    expect([path, answer.status]).toEqual([path, 200]);
    return answer;
  };
}
