/** What every page of documentation is framed by. The pages run no script and load nothing. */
import { html, raw } from "hono/html";
import { escapeHtml } from "../../delivery/inert-text.ts";

export type Html = ReturnType<typeof html>;

const places = [
  ["/", "Dashboard"],
  ["/docs/guides", "Guides"],
  ["/docs/emitters", "Sending events"],
  ["/docs/events", "Events"],
  ["/docs/meters", "Meters"],
  ["/docs/embedding", "Embedding"],
  ["/docs", "API"],
] as const;

/** A whole page; `path` is its own, so that the navigation says where one is. */
export function framedPage({ title, path }: { title: string; path: string }, content: Html): Html {
  const here = places.find(([place]) => place === path)?.[0];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Tidemark</title>
<style>${raw(style)}</style>
</head>
<body>
<nav aria-label="Documentation">${places.map(
    ([place, name]) =>
      html`<a href="${place}"${place === here ? raw(' aria-current="page"') : ""}>${name}</a>
`,
  )}</nav>
<main><h1>${title}</h1>
${content}
</main>
</body>
</html>
`;
}

/** What is made to be copied and run; a test runs it as it stands. Keyboards can scroll it. */
export function snippet(id: string, code: string): Html {
  return html`<pre class="code" tabindex="0" data-snippet="${id}"><code>${raw(escapeHtml(code))}</code></pre>`;
}

/** Texts with a comma between them, each as code. */
export function codeList(texts: readonly string[], hrefOf?: (text: string) => string): Html {
  const shown = (text: string) =>
    hrefOf ? html`<a href="${hrefOf(text)}"><code>${text}</code></a>` : html`<code>${text}</code>`;
  return html`${texts.map((text, place) => html`${place > 0 ? ", " : ""}${shown(text)}`)}`;
}

/** Text as HTML: what stands in backticks is code. */
export function withCode(text: string): Html {
  return raw(escapeHtml(text).replaceAll(/`([^`]+)`/g, "<code>$1</code>"));
}

const style = `
:root { color-scheme: light dark; }
body { background: light-dark(#f7f8f8, #0a0f10); color: light-dark(#10191b, #ecf2f2); max-width: 56rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; font: 1rem/1.6 system-ui, sans-serif; }
nav { display: flex; flex-wrap: wrap; gap: 0.4rem 1rem; font-size: 0.9rem; }
nav [aria-current] { color: inherit; font-weight: 600; text-decoration: none; }
a { color: light-dark(#0f766e, #3fd0c0); }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1.5rem 0 0.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2.5rem 0 0.5rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.5rem 0 0.3rem; }
.lead { font-size: 1.1rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.6rem 0.8rem 0.6rem 0; border-bottom: 1px solid light-dark(#e3e7e7, #222d2f); }
td:first-child { min-width: 6.5rem; }
dt { font-weight: 600; margin-top: 1.2rem; }
dd { margin: 0.2rem 0 0; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.88em; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; margin: 0.5rem 0; padding: 0.7rem 0.9rem; border-radius: 0.5rem; background: light-dark(#eceff0, #111819); }
pre code { font-size: 1em; }
.code { white-space: pre; overflow-x: auto; tab-size: 4; border: 1px solid light-dark(#dfe4e4, #222d2f); background: light-dark(#fff, #111819); }
.code code { overflow-wrap: normal; }
`;
