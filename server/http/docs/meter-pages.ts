/** The reference of the built-in meters: a list, and a page for each. Generated from the catalog, so it cannot drift from it. */
import { Hono } from "hono";
import { html } from "hono/html";
import { meters } from "../../catalog/built-in-meters.ts";
import { commonDimensions } from "../../catalog/catalog.ts";
import type { MeterSummary } from "../../contract/meters.ts";
import { describeMeter } from "../../meters/describe-meter.ts";
import { ProblemError } from "../../problem.ts";
import type { HttpEnv } from "../http-env.ts";
import { codeList, framedPage, type Html } from "./page-frame.ts";

/** GET /docs/meters and /docs/meters/{meter}. Public: they tell of the product, not of anybody's usage. */
export function meterPages(): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  const described = new Map(meters.map((meter) => [meter.meter, describeMeter(meter, null)]));
  app.get("/docs/meters", (c) =>
    c.html(framedPage({ title: "Meters", path: "/docs/meters" }, list([...described.values()]))),
  );
  app.get("/docs/meters/:meter", (c) => {
    const meter = described.get(c.req.param("meter"));
    if (!meter) throw new ProblemError("not_found", "there is no such built-in meter", { field: "meter" });
    return c.html(framedPage({ title: meter.title, path: c.req.path }, reference(meter)));
  });
  return app;
}

function list(described: readonly MeterSummary[]): Html {
  return html`<p>The built-in meters. <code>GET /v1/meters</code> also lists custom ones.</p>
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
  return html`<p><code>${meter}</code> · ${unit}</p>
<p class="lead">${description}</p>
<dl>
<dt>Rule</dt><dd>${rule}</dd>
<dt>Counts</dt><dd>${codeList(types, (type) => `/docs/events/${type}`)}</dd>
<dt>Grouped and filtered by</dt><dd>${own.length > 0 ? html`${codeList(own)}; and ` : ""}${codeList(common)}</dd>
<dt>Freshness</dt><dd>${freshness}</dd>
<dt>Query</dt><dd><pre>GET /v1/usage?meter=${meter}&amp;node=all&amp;from=2026-03-01&amp;to=2026-04-01&amp;window=day&amp;tz=UTC</pre></dd>
<dt>Explain</dt><dd><pre>GET /v1/explain?meter=${meter}&amp;node=all&amp;from=2026-03-01&amp;to=2026-03-02</pre></dd>
</dl>
<p><a href="/docs/meters">All meters</a></p>`;
}
