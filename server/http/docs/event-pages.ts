/** The vocabulary of events: what each field and each built-in type means, and what it feeds. Generated from the catalog. */

import { Hono } from "hono";
import { html } from "hono/html";
import { describeEvent, type EventDescription } from "../../catalog/describe-event.ts";
import { eventTypes } from "../../catalog/event-types.ts";
import { defaultAliveWithinMs } from "../../catalog/levels.ts";
import { hourMs } from "../../contract/durations.ts";
import { limits, type UsageEvent } from "../../contract/events.ts";
import { ProblemError } from "../../problem.ts";
import type { HttpEnv } from "../http-env.ts";
import { codeList, framedPage, type Html, snippet, withCode } from "./page-frame.ts";

/** GET /docs/events, all types on one page, and /docs/events/{type}. Public. */
export function eventPages(): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  const described = [...eventTypes.keys()].map(describeEvent).filter((event) => event !== undefined);
  app.get("/docs/events", (c) => c.html(framedPage({ title: "Events", path: "/docs/events" }, vocabulary(described))));
  app.get("/docs/events/:type", (c) => {
    const event = described.find(({ type }) => type === c.req.param("type"));
    if (!event) throw new ProblemError("not_found", "there is no such built-in event type", { field: "type" });
    const content = html`${reference(event)}
<p><a href="/docs/events">All events</a>, and what their fields mean</p>`;
    return c.html(framedPage({ title: event.type, path: c.req.path }, content));
  });
  return app;
}

const fieldMeanings: Readonly<Record<keyof UsageEvent, string>> = {
  id: "Required. Set once, where the event happens, and kept the same whenever it is sent again: together with `organization`, it identifies the event.",
  type: "Required. One of the types below, or one of your own: it is stored, and counted once you create a meter for it.",
  organization: "Required. The ID of the organization whose usage this is.",
  time: "When it happened, as RFC 3339, stored to the millisecond. Default: the time in `id` if that is a UUIDv7, otherwise the time of receipt.",
  agent: "The organization's agent that it belongs to.",
  user: "The user it is about.",
  session: "The session it happened in.",
  room: "The room of the session.",
  interval: "Pairs a start with its signs of life and its end, whichever sessions they name.",
  job: "Pairs the steps of a job.",
  started_at: "When the thing that ends here began, as RFC 3339.",
  value: "The amount. In minutes for the types that say so below, such as calls, recordings and transcriptions.",
  seconds:
    "Instead of `value` if that is in minutes: the number of seconds. Three calls of 20 seconds are exactly 1 minute.",
  properties: `Up to ${limits.maxProperties} names, each with a string, a number or a boolean. Usage can be grouped by the ones that the type names. For a CloudEvent, these include \`source\` and the other attributes that are kept.`,
};

const hours = defaultAliveWithinMs / hourMs;

function vocabulary(described: readonly EventDescription[]): Html {
  return html`<p class="lead">What happened, told in one JSON object each. Send them to <code>POST /v1/events</code>: <a href="/docs/emitters">how</a>. The guides lead from the first event to the right figure: <a href="/docs/guides/live-sessions">live sessions</a>, <a href="/docs/guides/jobs">jobs</a>, <a href="/docs/guides/calls">calls</a>, and <a href="/docs/guides/testing">how to test what sends</a>.</p>
<h2 id="fields">Fields of every event</h2>
<div class="table"><table>
<thead><tr><th>Field</th><th>What it is</th></tr></thead>
<tbody>${Object.entries(fieldMeanings).map(
    ([field, meaning]) =>
      html`<tr><td><code>${field}</code></td><td>${withCode(meaning)}</td></tr>
`,
  )}</tbody>
</table></div>
<p>${withCode(`Strings have up to ${limits.maxStringLength} characters. A number is kept exactly as written; decimals after the ninth are rounded half to even, with the warning \`rounded\`. Times can go back to ${limits.oldestTime.slice(0, 4)}, and at most 24 hours ahead. Any other field is an error, named in the verdict.`)}</p>
<h2 id="intervals">Intervals</h2>
<p>Participants, recordings, calls in progress and everything else with a start and an end are intervals. Minutes, peaks and live counters are calculated from them.</p>
<dl>
<dt>With <code>interval</code></dt><dd>${withCode("Give the start, the signs of life and the end of one thing the same `interval`, such as the ID of the connection. The interval runs from its earliest start to its latest end, in whatever order and however often they arrive. It is one of its organization and kind, even if its events name different sessions: it counts in the session that it starts in (the first by name if it starts in several at the same time), and only that session's end ends it. So a name must not be used again in another session; one that more than 100 sessions use is a separate interval in each. One person on two devices has two intervals, which needs this field.")}</dd>
<dt>Without: pairing by session and user</dt><dd>${withCode("The starts and ends of a `user` in a `session` are sorted by time and paired. A start while one is already open changes nothing, nor does an end while none is open; leaving and coming back makes two intervals. Only participants need a `user`: other events without one are paired by session alone.")}</dd>
<dt><code>started_at</code></dt><dd>${withCode("An end that says when the interval began needs no start. An end with neither waits for its start; until then it counts nowhere and is listed by `GET /v1/orphans`. Without `interval`, that is an end before every start of its user in the session; an end that follows another end only repeats it.")}</dd>
<dt>Signs of life, timeout and <code>alive_within</code></dt><dd>${withCode(`An interval without an end is open and counts up to now. After ${hours} hours of silence, it counts as ended at its last sign of life; for a start alone, that is no time at all. The property \`alive_within\` sets this timeout in seconds: send \`alive_within: 120\` with the start and a sign of life every minute, and a program that crashes costs at most one minute. The latest event of the interval that sets it decides; without \`interval\`, the latest start or sign of life of that stay, whatever was set in stays before or after it. A real end that arrives later corrects it.`)}</dd>
<dt><code>session.ended</code></dt><dd>${withCode("Ends everything that is open in the session, of every kind. Intervals that had already gone silent stay ended where they were.")}</dd>
<dt>Dimensions</dt><dd>${withCode("An interval has the `device` or `medium` it began with: the earliest of its events that names any decides, with everything that this event names, whatever later events say.")}</dd>
<dt>Edges</dt><dd>An end at an instant makes room before a start at the same instant. Minutes are split exactly at the edges of windows. An end before its start counts as nothing and is listed.</dd>
</dl>
<h2 id="types">Types</h2>
<p>${codeList(
    described.map(({ type }) => type),
    (type) => `#${type}`,
  )}</p>
${described.map(
  (event) => html`<section aria-labelledby="${event.type}">
<h2 id="${event.type}"><a href="/docs/events/${event.type}"><code>${event.type}</code></a></h2>
${reference(event)}
</section>
`,
)}`;
}

function reference({ type, words, fields, feeds, example }: EventDescription): Html {
  return html`<p>${withCode(words)}</p>
<div class="table"><table>
<thead><tr><th>Field</th><th>What it is</th></tr></thead>
<tbody>${fields.map(
    ({ field, meaning, isRequired }) =>
      html`<tr><td>${breakable(field)}</td><td>${isRequired ? "Required. " : ""}${withCode(meaning)}</td></tr>
`,
  )}</tbody>
</table></div>
<p>Feeds ${codeList(
    feeds.map(({ meter }) => meter),
    (meter) => `/docs/meters/${meter}`,
  )}.</p>
${snippet(`event-${type}`, written(example.events))}
${questions(feeds, example)}`;
}

/** May be broken after a point, on a narrow screen. */
function breakable(field: string): Html {
  const parts = field.split(".");
  return html`<code>${parts.map((part, place) => (place === 0 ? part : html`.<wbr>${part}`))}</code>`;
}

/** One event a line: short enough to read, and valid JSON as it stands. */
function written(events: readonly UsageEvent[]): string {
  const lines = events.map((event) => JSON.stringify(event, null, 1).replaceAll(/\n\s*/g, " "));
  return events.length === 1 ? `${lines[0]}\n` : `[\n  ${lines.join(",\n  ")}\n]\n`;
}

/** What is live is asked for while it runs, everything else over the whole hour. */
function questions(feeds: EventDescription["feeds"], { from, during, to }: EventDescription["example"]): Html {
  const isLive = ({ rule }: EventDescription["feeds"][number]) => rule.kind === "level";
  const ask = (asked: EventDescription["feeds"], until: string) =>
    asked.length === 0
      ? ""
      : html`<pre data-question>GET /v1/usage?meter=${asked.map(({ meter }) => meter).join(",")}&amp;node=organization:acme&amp;from=${from}&amp;to=${until}&amp;window=total</pre>
`;
  return html`<p>Counted by:</p>
${ask(
  feeds.filter((meter) => !isLive(meter)),
  to,
)}${ask(feeds.filter(isLive), during)}`;
}
