/** How a dashboard is shown in a page of one's own: a program to copy, and what holds of tokens. A test runs it as it stands. */
import { Hono } from "hono";
import { html } from "hono/html";
import { embedMinutes, linkDays } from "../../contract/view-links.ts";
import type { HttpEnv } from "../http-env.ts";
import { framedPage, snippet } from "./page-frame.ts";

/** GET /docs/embedding. Public. */
export function embeddingPage(): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.get("/docs/embedding", (c) => c.html(page));
  return app;
}

const program = `import { createServer } from "node:http";
import { env } from "node:process";

const { TIDEMARK_URL, TIDEMARK_KEY, TIDEMARK_DASHBOARD, PORT = "3000" } = env;

// The only place that has the key. Add "node" for the figures of one customer alone.
async function embedding() {
  const answer = await fetch(\`\${TIDEMARK_URL}/v1/views/\${TIDEMARK_DASHBOARD}/embed-tokens\`, {
    method: "POST",
    headers: { authorization: \`Bearer \${TIDEMARK_KEY}\`, "content-type": "application/json" },
    body: JSON.stringify({
      origins: [\`http://localhost:\${PORT}\`],
      theme: { mode: "light", accent: "#7c3aed" },
    }),
  });
  if (!answer.ok) throw new Error(\`\${answer.status} \${await answer.text()}\`);
  return await answer.json();
}

const page = (url) => \`<!doctype html>
<html lang="en">
<title>Our usage</title>
<iframe id="usage" title="Usage" src="\${url}" style="width: 100%; height: 90vh; border: 0"></iframe>
<script>
  const frame = document.getElementById("usage");
  addEventListener("message", async ({ source, data }) => {
    if (source !== frame.contentWindow || data?.type !== "tidemark:state") return;
    if (data.state === "shown") return;
    const { token } = await (await fetch("/token")).json();
    frame.contentWindow.postMessage({ type: "tidemark:token", token }, new URL(frame.src).origin);
  });
</script>\`;

createServer(async ({ url }, response) => {
  try {
    // First your own check of who asks, and of whose figures they may see.
    const made = await embedding();
    response.setHeader("cache-control", "no-store");
    if (url === "/token") return response.end(JSON.stringify({ token: made.token }));
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(page(made.url));
  } catch (error) {
    console.error(error);
    response.writeHead(502).end();
  }
}).listen(Number(PORT), "localhost");
`;

const content = html`<p class="lead">Show a dashboard on a page of your own, to people who have no account here.</p>
<p>Your server requests a token with an <a href="/keys">API key</a> that can read, gives the page an address to frame, and gives it the next token before the last one expires. The page contains neither the key nor anything else from this service: a token shows one dashboard, for one node, read-only.</p>
<section aria-labelledby="program">
<h2 id="program">A complete example</h2>
<p>Node 20 or newer, nothing to install. Set the address of this service, the key, and the dashboard's ID, which is in its address; then run <code>node embed.mjs</code> and open <code>http://localhost:3000</code>.</p>
<pre class="code" tabindex="0"><code>export TIDEMARK_URL=http://localhost:8080
export TIDEMARK_KEY=tmk_…
export TIDEMARK_DASHBOARD=view_…</code></pre>
${snippet("embed.mjs", program)}
</section>
<section aria-labelledby="token">
<h2 id="token">What a token allows</h2>
<ul>
<li>It expires after <code>expires_in_minutes</code> (${embedMinutes.usual} by default, ${embedMinutes.most} at most), or immediately if its key is revoked or can no longer read the dashboard's node.</li>
<li><code>node</code>: the dashboard's node, or one below it. Panels of this node and of those below it are shown, panels of a node above are queried for this node, and others are left out. One dashboard of a reseller therefore works for each of its customers.</li>
<li><code>origins</code>: whose pages can frame it (<code>frame-ancestors</code>) and pass it the next token; none unless you name them. They are part of the address: use <code>url</code> exactly as returned.</li>
<li><code>theme</code>: <code>mode</code> is <code>light</code>, <code>dark</code> or <code>system</code>; <code>accent</code> replaces this service's own colour, made darker or lighter until it is visible.</li>
</ul>
</section>
<section aria-labelledby="messages">
<h2 id="messages">Messages</h2>
<ul>
<li>From the frame: <code>{ type: "tidemark:state", state, expires_at }</code> with the state <code>shown</code>, <code>ending</code> (within a minute) or <code>ended</code>.</li>
<li>To the frame: <code>{ type: "tidemark:token", token }</code>. Messages from other windows or origins are ignored.</li>
</ul>
<p>Data for a range that ends now is refreshed once a minute. If too many frames show the same dashboard at once, a frame gets 429 with <code>Retry-After</code> and continues by itself.</p>
</section>
<section aria-labelledby="links">
<h2 id="links">Links for people</h2>
<p>People who can share create a link on the dashboard itself, under Share, or with <code>POST /v1/views/{id}/links</code>. A link works for ${linkDays.usual} days by default and ${linkDays.most} at most, can be revoked at any time, and stops working when its creator can no longer share the dashboard. Its pages cannot be framed.</p>
</section>`;
const page = framedPage({ title: "Embedding", path: "/docs/embedding" }, content);
