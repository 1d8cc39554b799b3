/** The reference of the built-in meters: a list, and a page for each. Generated from the catalog, so it cannot drift from it. */
import { Hono } from "hono";
import { html } from "hono/html";
import { commonDimensions, meters } from "../catalog/catalog.ts";
import type { MeterSummary } from "../contract/meters.ts";
import { describeMeter } from "../meters/describe-meter.ts";
import type { HttpEnv } from "./http-env.ts";
import { ProblemError } from "./problem-error.ts";

type Html = ReturnType<typeof html>;

/** GET /docs/meters and /docs/meters/{meter}. Public: they tell of the product, not of anybody's usage. */
export function meterPages(): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  const described = new Map(meters.map((meter) => [meter.meter, describeMeter(meter, null)]));
  app.get("/docs/meters", (c) => c.html(page("Meters", list([...described.values()]))));
  app.get("/docs/meters/:meter", (c) => {
    const meter = described.get(c.req.param("meter"));
    if (!meter) throw new ProblemError("not_found", "there is no such built-in meter", { field: "meter" });
    return c.html(page(meter.title, reference(meter)));
  });
  return app;
}

function list(described: readonly MeterSummary[]): Html {
  return html`<p>What usage can be asked for, built in. Meters that users make are listed by <code>GET /v1/meters</code>.</p>
<div class="table"><table>
<thead><tr><th>Meter</th><th>Unit</th><th>What it is</th></tr></thead>
<tbody>${described.map(
    ({ meter, title, unit, description }) =>
      html`<tr><td><a href="/docs/meters/${meter}">${title}</a><br><code>${meter}</code></td><td>${unit}</td><td>${description}</td></tr>`,
  )}</tbody>
</table></div>`;
}

function reference({ meter, unit, description, rule, types, dimensions, freshness }: MeterSummary): Html {
  const common: readonly string[] = commonDimensions;
  const own = dimensions.filter((dimension) => !common.includes(dimension));
  const names = (texts: readonly string[]) =>
    texts.map((text, place) => html`${place > 0 ? ", " : ""}<code>${text}</code>`);
  return html`<p><code>${meter}</code> · ${unit}</p>
<p class="lead">${description}</p>
<dl>
<dt>Rule</dt><dd>${rule}</dd>
<dt>Made of</dt><dd>${names(types)}</dd>
<dt>Grouped and filtered by</dt><dd>${own.length > 0 ? html`${names(own)}; and ` : ""}${names(common)}</dd>
<dt>Freshness</dt><dd>${freshness}</dd>
<dt>Asked with</dt><dd><pre>GET /v1/usage?meter=${meter}&amp;node=all&amp;from=2026-03-01&amp;to=2026-04-01&amp;window=day&amp;tz=UTC</pre></dd>
<dt>Why it is what it is</dt><dd><pre>GET /v1/explain?meter=${meter}&amp;node=all&amp;from=2026-03-01&amp;to=2026-03-02</pre></dd>
</dl>
<p><a href="/docs/meters">All meters</a></p>`;
}

function page(title: string, content: Html): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Tidemark</title>
<style>
:root { color-scheme: light dark; }
body { background: light-dark(#f7f8f8, #0a0f10); color: light-dark(#10191b, #ecf2f2); max-width: 56rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; font: 1rem/1.6 system-ui, sans-serif; }
nav { display: flex; flex-wrap: wrap; gap: 1rem; font-size: 0.9rem; }
a { color: light-dark(#0f766e, #3fd0c0); }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1.5rem 0 0.5rem; }
.lead { font-size: 1.1rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.6rem 0.8rem 0.6rem 0; border-bottom: 1px solid light-dark(#e3e7e7, #222d2f); }
dt { font-weight: 600; margin-top: 1.2rem; }
dd { margin: 0.2rem 0 0; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.88em; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; margin: 0; padding: 0.7rem 0.9rem; border-radius: 0.5rem; background: light-dark(#f1f3f3, #111819); }
</style>
</head>
<body>
<nav aria-label="Documentation"><a href="/">Dashboard</a><a href="/docs">API</a><a href="/docs/meters">Meters</a></nav>
<main><h1>${title}</h1>
${content}
</main>
</body>
</html>
`;
}
