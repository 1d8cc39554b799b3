/** The guides as pages. */
import { Hono } from "hono";
import { html } from "hono/html";
import { ProblemError } from "../../problem.ts";
import type { HttpEnv } from "../http-env.ts";
import { type Guide, guides } from "./guides.ts";
import { framedPage, type Html, snippet, withCode } from "./page-frame.ts";

/** GET /docs/guides and /docs/guides/{guide}. Public. */
export function guidePages(): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.get("/docs/guides", (c) => c.html(framedPage({ title: "Guides", path: "/docs/guides" }, list)));
  app.get("/docs/guides/:guide", (c) => {
    const guide = guides.find(({ name }) => name === c.req.param("guide"));
    if (!guide) throw new ProblemError("not_found", "there is no such guide", { field: "guide" });
    return c.html(framedPage({ title: guide.title, path: c.req.path }, whole(guide)));
  });
  return app;
}

const list = html`<p class="lead">From the first event to the result, in a terminal.</p>
<dl>${guides.map(
  ({ name, title, lead }) => html`<dt><a href="/docs/guides/${name}">${title}</a></dt><dd>${lead}</dd>
`,
)}</dl>
<p>For every type and field, see <a href="/docs/events">Events</a>. To send them from your program, see <a href="/docs/emitters">Sending events</a>.</p>`;

function whole({ lead, steps, notes }: Guide): Html {
  return html`<p class="lead">${lead}</p>
<p>Set the address of this service and an <a href="/keys">API key</a> of a test node that can send events, create organizations and read.</p>
<pre class="code" tabindex="0"><code>export TIDEMARK_URL=http://localhost:8080
export TIDEMARK_KEY=tmk_…</code></pre>
<p>${withCode("Each command exits with 0 only if it succeeded: with 22 if the service refuses, and with 7 if there is no service. Running it again counts nothing twice: `duplicates` says how many events were already known.")}</p>
${steps.map(
  ({ title, text, code, answer }, place) => html`<section aria-labelledby="step-${place + 1}">
<h2 id="step-${place + 1}">${place + 1}. ${title}</h2>
<p>${withCode(text)}</p>
${snippet(`step-${place + 1}`, code)}
<p>Answer:</p>
<pre data-answer="step-${place + 1}">${answer}</pre>
</section>
`,
)}
<h2 id="notes">Good to know</h2>
<ul>${notes.map((note) => html`<li>${withCode(note)}</li>`)}</ul>
<p>Every type and field: <a href="/docs/events">Events</a>. All meters: <a href="/docs/meters">Meters</a>. Sending from a program: <a href="/docs/emitters">Sending events</a>.</p>`;
}
