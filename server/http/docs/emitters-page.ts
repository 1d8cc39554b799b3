/** The page that shows how to send events from a terminal, from JavaScript, browsers and Python. Tests run what it shows. */
import { readFile } from "node:fs/promises";
import { Hono } from "hono";
import { html, raw } from "hono/html";
import { ProblemError } from "../../problem.ts";
import type { HttpEnv } from "../http-env.ts";
import { framedPage, snippet } from "./page-frame.ts";

/** Made by the build: the emitter as packages to install. Seen from the sources in server/http/docs/ or the built server in dist/server/. */
const packageFolder = new URL(
  import.meta.url.endsWith(".ts") ? "../../../dist/emitter/" : "../emitter/",
  import.meta.url,
);

/** GET /docs/emitters, and what it tells to install. */
export function emittersPage(): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.get("/docs/emitters", (c) => c.html(page));
  for (const [name, type] of [
    ["tidemark-emitter.tgz", "application/gzip"],
    ["tidemark_emitter.py", "text/x-python; charset=utf-8"],
  ] as const)
    app.get(`/docs/emitters/${name}`, async (c) => {
      const bytes = await readFile(new URL(name, packageFolder)).catch(() => undefined);
      if (!bytes) throw new ProblemError("not_found", "this service was started without a build; run `npm run build`");
      return c.body(new Uint8Array(bytes), 200, { "content-type": type });
    });
  return app;
}

const curl = `curl --silent --show-error --fail-with-body --retry 4 --retry-connrefused \\
  "$TIDEMARK_URL/v1/events?strict=true" \\
  -H "Authorization: Bearer $TIDEMARK_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "id": "chat-5821",
    "type": "chat.posted",
    "organization": "acme",
    "user": "u1"
  }'
`;

const typescript = `import { env } from "node:process";
import { Emitter } from "tidemark-emitter";

const { TIDEMARK_URL: url = "", TIDEMARK_KEY: key = "" } = env;
const emitter = new Emitter({ url, key });
emitter.closeOnExit();

const presence = emitter.joined({ organization: "acme", session: "s1", user: "u1", room: "daily" });
emitter.offer({ type: "chat.posted", organization: "acme", session: "s1", user: "u1" });
presence.left();
`;

const browser = `import { Beacon } from "tidemark-emitter/beacon";

const beacon = new Beacon({ url: "https://tidemark.example.com", key: "tmk_…" });
beacon.offer({ type: "chat.posted", organization: "acme", user: "u1" });
`;

const python = `import os

from tidemark_emitter import Emitter

with Emitter(os.environ["TIDEMARK_URL"], os.environ["TIDEMARK_KEY"]) as emitter:
    emitter.offer("chat.posted", "acme", user="u1")
    emitter.offer("call.completed", "acme", agent="a1", seconds="20")
`;

const sections = [
  {
    id: "curl",
    title: "Terminal",
    about: "curl 7.76 or newer. It exits with 0 only if the event was accepted.",
    code: curl,
  },
  {
    id: "typescript",
    title: "JavaScript and TypeScript",
    about: `Node 18 or newer: <code>npm install $TIDEMARK_URL/docs/emitters/tidemark-emitter.tgz</code> installs a package without dependencies. It batches events into requests, sends signs of life for participants, keeps events on disk with <code>spool: { directory }</code>, and reports on stderr what was not accepted. With <code>closeOnExit</code>, the program exits with 1 if any event was not accepted.`,
    code: typescript,
  },
  {
    id: "browser",
    title: "Browsers",
    about: `From the same package. Anyone who opens a page can read it, so give it a key that can only send events, for one organization. Whatever a page cannot send before it closes, the next page sends.`,
    code: browser,
  },
  {
    id: "python",
    title: "Python",
    about: `Python 3.9 or newer, standard library only: <code>curl -O $TIDEMARK_URL/docs/emitters/tidemark_emitter.py</code> downloads a single file that does the same. Leaving the block raises an error if any event was not accepted; <code>spool="/var/lib/mine/events"</code> keeps events on disk.`,
    code: python,
  },
];

const content = html`<p>Set <code>TIDEMARK_URL</code> to where this service is and <code>TIDEMARK_KEY</code> to an <a href="/keys">API key</a> that can send events. <a href="/docs/events">Events</a> lists every type and field, the <a href="/docs/guides">guides</a> take you from the first event to the result, and <a href="/docs/guides/testing">one of them</a> shows how to test your integration.</p>
<ul>
<li>Give each event its <code>id</code> and <code>time</code> once, where it happens. An event counts once, however often it is sent.</li>
<li>If you get no answer, or 408, 429 or 5xx, send the same events again with the same IDs, after the seconds in <code>Retry-After</code> plus a random delay.</li>
<li>Any other 4xx will get the same answer every time. Events listed under <code>rejected</code> were not accepted; the others in their request were.</li>
<li>A few large requests cost less than many small ones: up to 10,000 events each.</li>
</ul>
${sections.map(
  ({ id, title, about, code }) =>
    html`<section aria-labelledby="${id}">
<h2 id="${id}">${title}</h2>
<p>${raw(about)}</p>
${snippet(id, code)}
</section>
`,
)}`;
const page = framedPage({ title: "Sending events", path: "/docs/emitters" }, content);
