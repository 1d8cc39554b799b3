/** What went wrong and was put right: usage that came late, an amount in the wrong unit, a test that counted, events not taken. */
import type { CorrectionAnswer } from "../../contract/corrections.ts";
import { dayMs, minuteMs } from "../../contract/durations.ts";
import type { UsageEvent, Verdict } from "../../contract/events.ts";
import { nodeAddress } from "../../contract/node-address.ts";
import type { QuarantineList } from "../../contract/quarantine.ts";
import type { Chapter, Stage } from "../stage.ts";

/** Its recorders were without a connection on the day of a conference, in a month whose bill is closed. */
export const lateOrganization = "studio-bianchi";
/** Sent seconds for minutes, once. */
export const wrongUnit = { organization: "vandermeer-logistics", id: "demo-wrong-unit" };
/** Its installer's test was counted. */
export const installersTest = { organization: "praxis-adler", id: "demo-installers-test" };
/** Sends what cannot be taken. */
export const faultySender = "hanok-studio";

const transcript = (organization: string, id: string, atMs: number, value: string): UsageEvent => ({
  id,
  organization,
  type: "transcription.completed",
  time: new Date(atMs).toISOString(),
  user: `${organization}-recorder`,
  job: id,
  value,
  properties: { language: "en", model: "standard", kind: "transcript", format: "txt", mode: "batch" },
});

/** Sent with the history, to be put right later. */
export function mistakenEvents(firstMs: number): UsageEvent[] {
  return [
    transcript(wrongUnit.organization, wrongUnit.id, firstMs + 70 * dayMs, "5280"),
    transcript(installersTest.organization, installersTest.id, firstMs + 71 * dayMs, "45"),
  ];
}

/** Twelve rooms, on a day whose cycle was closed before they came: more than its plan includes, so that it is charged. */
function lateEvents(firstMs: number): UsageEvent[] {
  const fromMs = firstMs + 52 * dayMs;
  return Array.from({ length: 12 }, (_, room) =>
    transcript(lateOrganization, `demo-late-${room}`, fromMs + room * minuteMs, `${290 + room}`),
  );
}

async function correct(
  { api, firstMs }: Stage,
  { organization, id }: { organization: string; id: string },
  action: "void" | "amend",
  said: { reason: string; changes?: Record<string, unknown> },
): Promise<void> {
  const path = `/v1/events/${id}`;
  const known = await api.get<{ corrections: CorrectionAnswer[] }>(`${path}?organization=${organization}`);
  if (known.corrections.length > 0) return;
  const time = mistakenEvents(firstMs).find((one) => one.id === id)?.time;
  await api.post<CorrectionAnswer>(`${path}/${action}`, { organization, time, ...said });
}

/** A duration below zero, and a member that no event has. */
async function sendFaulty({ api, firstMs }: Stage): Promise<void> {
  const node = encodeURIComponent(nodeAddress("organization", faultySender));
  const there = await api.get<QuarantineList>(`/v1/quarantine?node=${node}&status=all`);
  if (there.events.length > 0) return;
  const event = (id: string) => transcript(faultySender, id, firstMs + 80 * dayMs, "12");
  await api.post<Verdict>("/v1/events", [
    { ...event("demo-negative"), value: "-12" },
    { ...event("demo-unknown-member"), departement: "sales" },
  ]);
}

export const mistakes: Chapter = {
  title: "usage that came late, one amount corrected, one test voided, two events in quarantine",
  async tell(stage) {
    await stage.emit(lateEvents(stage.firstMs));
    const amended = { reason: "The recorder sent seconds as minutes", changes: { value: "88" } };
    await correct(stage, wrongUnit, "amend", amended);
    await correct(stage, installersTest, "void", { reason: "The installer's test was no meeting" });
    await sendFaulty(stage);
  },
};
