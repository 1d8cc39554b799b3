/** What people noted beside the figures, and the questions that they keep, alone and as dashboards. */
import type { Annotation, AnnotationList } from "../../contract/annotations.ts";
import type { CreateView, View } from "../../contract/views.ts";
import type { Chapter, Stage } from "../stage.ts";
import { accountManager, partnerOwner, resellerOwner } from "./people.ts";

interface Note {
  node: string;
  /** Days after the history began. */
  day: number;
  text: string;
  /** Whose it is, where it is not the operator's. */
  author?: string;
}

/** At the incidents of rhythm.ts, the launch of meetings.ts and the moves. */
const notes: readonly Note[] = [
  { node: "all", day: 51.6, text: "Three hours without service: the network between two data centres was cut." },
  { node: "all", day: 38, text: "A storm over Europe keeps people at home." },
  { node: "partner:meridian", day: 50, text: "Pinecrest Public Library goes to Brightwater.", author: partnerOwner },
  { node: "reseller:kestrel", day: 27.4, text: "Our uplink failed for five hours.", author: accountManager },
  { node: "reseller:brightwater", day: 78.35, text: "Certificate expired, two hours.", author: resellerOwner },
  {
    node: "organization:redwood-robotics",
    day: 72.7,
    author: accountManager,
    text: "The launch of their new arm: more than 400 people in one room.",
  },
];

interface Kept extends CreateView {
  node: string;
  author?: string;
}

const views: readonly Kept[] = [
  {
    name: "Monday morning",
    node: "all",
    query: "range=30d&compare=previous&match=weekday",
    panels: [
      { title: "Minutes", query: "meters=participation_minutes", width: "full" },
      { title: "Who uses most", query: "meters=participation_minutes&by=organization", width: "half" },
      { title: "Peaks", query: "meters=max_concurrent_participants%2Cmax_concurrent_sessions", width: "half" },
      { title: "Transcribed, by language", query: "meters=transcribed_minutes&by=language", width: "half" },
      { title: "What else is used", query: "meters=feature_uses&by=feature", width: "half" },
      { title: "Broadcast and consumed", query: "meters=broadcast_minutes%2Cconsumed_minutes", width: "half" },
      { title: "Questions and answers", query: "meters=qa_posts&by=kind", width: "half" },
    ],
  },
  { name: "Languages this quarter", node: "all", query: "meters=transcribed_minutes&range=90d&by=language" },
  {
    name: "Models",
    node: "reseller:brightwater",
    author: resellerOwner,
    query: "node=reseller%3Abrightwater&meters=transcribed_minutes&range=90d&by=model",
  },
  {
    name: "Kestrel at a glance",
    node: "reseller:kestrel",
    author: accountManager,
    query: "range=7d",
    panels: [
      {
        title: "Minutes by customer",
        query: "node=reseller%3Akestrel&meters=participation_minutes&by=organization",
        width: "full",
      },
      { title: "Calls of agents", query: "node=reseller%3Akestrel&meters=call_minutes&by=agent", width: "half" },
      { title: "Failed jobs", query: "node=reseller%3Akestrel&meters=failed_jobs", width: "half" },
    ],
  },
];

async function makeNote(stage: Stage, { node, day, text, author }: Note): Promise<void> {
  const there = await stage.api.get<AnnotationList>(`/v1/annotations?node=${encodeURIComponent(node)}&limit=1000`);
  if (there.annotations.some((one) => one.text === text)) return;
  const api = author === undefined ? stage.api : stage.as(author);
  await api.post<Annotation>("/v1/annotations", { node, at: stage.day(day), text });
}

async function makeView(stage: Stage, { author, ...view }: Kept): Promise<void> {
  const there = await stage.api.get<{ views: View[] }>(`/v1/views?node=${encodeURIComponent(view.node)}`);
  if (there.views.some(({ name }) => name === view.name)) return;
  await (author === undefined ? stage.api : stage.as(author)).post<View>("/v1/views", view);
}

export const notesAndDashboards: Chapter = {
  title: `${notes.length} notes beside the figures, ${views.length} saved views and dashboards`,
  async tell(stage) {
    for (const note of notes) await makeNote(stage, note);
    for (const view of views) await makeView(stage, view);
  },
};
