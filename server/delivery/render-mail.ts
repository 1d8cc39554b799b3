/** A message as mail: text and HTML that say the same, light and dark, with one button. */
import type { Mail } from "../mail/mailer.ts";
import type { DeliveryMessage } from "../postgres/schema/delivery.ts";
import { escapeHtml, figureLine, oneLine } from "./inert-text.ts";

export interface MailFrame {
  /** The delivery's id: each attempt sends the same mail. */
  id: string;
  to: string;
  /** What the mails of one matter have in common, such as an alert's id. */
  matter: string | null;
  /** Ends this list for this address, without a question. */
  unsubscribeUrl: string;
  publicUrl: string;
}

const subjectCharacters = 200;

export function renderMail(message: DeliveryMessage, { id, to, matter, unsubscribeUrl, publicUrl }: MailFrame): Mail {
  const host = new URL(publicUrl).hostname.replace(/^\[(.*)\]$/, "$1").replaceAll(":", "-");
  const subject = oneLine(message.subject, subjectCharacters);
  const lines = message.lines.map((line) => oneLine(line));
  const rows = (message.rows ?? []).map(({ title, text, about, url }) => {
    return { title: oneLine(title), text: oneLine(text), about: oneLine(about), url };
  });
  const shown = { ...message, subject, lines, rows };
  return {
    to,
    subject,
    text: textOf(shown, unsubscribeUrl),
    html: htmlOf(shown, unsubscribeUrl),
    messageId: `${id}@${host}`,
    ...(matter !== null && { matter: `${matter}@${host}` }),
    headers: {
      "List-Unsubscribe": `<${unsubscribeUrl}>`,
      "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
      "Auto-Submitted": "auto-generated",
    },
  };
}

function textOf(
  { lines, figures = [], chart, rows = [], url, button }: DeliveryMessage,
  unsubscribeUrl: string,
): string {
  const [first = "", ...more] = lines;
  const counted = figures.length === 0 ? [] : ["", ...figures.map((one) => oneLine(figureLine(one)))];
  const drawn = chart ? ["", oneLine(chart.text)] : [];
  const parted = counted.length + drawn.length > 0 && more.length > 0 ? ["", ...more] : more;
  const listed = rows.flatMap((row) => ["", row.title, row.text, row.about, row.url]);
  const paragraphs = [first, ...counted, ...drawn, ...parted, ...listed, "", `${button}:`, url, "", "-- "];
  return `${[...paragraphs, "Unsubscribe:", unsubscribeUrl].join("\n")}\n`;
}

/** Beside each other where there is room. */
function figuresHtml(figures: NonNullable<DeliveryMessage["figures"]>): string {
  if (figures.length === 0) return "";
  const cells = figures.map(({ label, value }) => {
    return `<p class="figure"><span>${escapeHtml(oneLine(label, 100))}</span><br><strong>${escapeHtml(oneLine(value, 100))}</strong></p>`;
  });
  return `<div class="figures">${cells.join("\n")}</div>`;
}

const chartHeight = 72;

/** Bars of plain boxes: mail programs show pictures late or never, and drawings not at all. */
function chartHtml(chart: DeliveryMessage["chart"], color: string | undefined): string {
  if (!chart) return "";
  const fill = color === undefined ? "" : `; background: ${escapeHtml(color)}`;
  const bars = chart.bars.map((percent) => {
    const height = percent > 0 ? Math.max(1, Math.round((percent / 100) * chartHeight)) : 0;
    return `<td><div class="bar" style="height: ${height}px${fill}"></div></td>`;
  });
  const [title, text, first, last] = [chart.title, chart.text, chart.first, chart.last].map((one) =>
    escapeHtml(oneLine(one)),
  );
  return `<p class="soft chart-title">${title}</p>
<table class="chart" role="img" aria-label="${text}" cellpadding="0" cellspacing="0"><tr>${bars.join("")}</tr></table>
<table class="dates" role="presentation" cellpadding="0" cellspacing="0"><tr><td>${first}</td><td align="right">${last}</td></tr></table>`;
}

const style = `:root { color-scheme: light dark; }
body { margin: 0; padding: 24px 12px; background: #f7f8f8; color: #10191b; font: 16px/1.5 Inter, system-ui, sans-serif; }
.card { max-width: 560px; margin: 0 auto; padding: 24px; background: #ffffff; border: 1px solid #e3e7e7; border-radius: 12px; }
.brand { margin: 0 0 16px; color: #0f766e; font-weight: 600; }
h1 { margin: 0 0 12px; font-size: 20px; line-height: 1.3; }
.soft { margin: 0 0 8px; color: #445155; }
.row { margin: 0; padding: 12px 0; border-top: 1px solid #e3e7e7; color: #445155; overflow-wrap: anywhere; }
.row a { color: #10191b; font-weight: 600; text-decoration: none; }
.row span { color: #5b696d; font-size: 13px; }
.figures { margin: 16px 0; padding: 6px 0; border-top: 1px solid #e3e7e7; border-bottom: 1px solid #e3e7e7; }
.figure { display: inline-block; margin: 6px 24px 6px 0; vertical-align: top; }
.figures span { color: #5b696d; font-size: 13px; }
.figures strong { font-size: 18px; overflow-wrap: anywhere; }
.chart { width: 100%; height: 72px; table-layout: fixed; border-bottom: 1px solid #c3cacb; }
.chart td { height: 72px; padding: 0 1px; vertical-align: bottom; font-size: 0; line-height: 0; }
.chart-title { margin: 16px 0 6px; font-size: 13px; }
.bar { background: #0d8a80; border-radius: 2px 2px 0 0; }
.dates { width: 100%; margin: 4px 0 16px; color: #5b696d; font-size: 13px; }
.button { display: inline-block; margin: 16px 0 0; padding: 12px 20px; background: #0f766e; color: #ffffff; border-radius: 8px; font-weight: 600; text-decoration: none; }
.foot { max-width: 560px; margin: 16px auto 0; color: #5b696d; font-size: 13px; }
.foot a { color: inherit; }
@media (prefers-color-scheme: dark) {
body { background: #0a0f10; color: #ecf2f2; }
.card { background: #111819; border-color: #222d2f; }
.brand { color: #3fd0c0; }
.soft { color: #b1bfc1; }
.row { border-color: #222d2f; color: #b1bfc1; }
.row a { color: #ecf2f2; }
.row span { color: #8d9c9f; }
.figures { border-color: #222d2f; }
.figures span, .dates { color: #8d9c9f; }
.chart { border-color: #3a484a; }
.bar { background: #2bb3a3; }
.button { background: #3fd0c0; color: #04211f; }
.foot { color: #8d9c9f; }
}
`;

function htmlOf(
  { subject, lines, figures = [], chart, rows = [], url, button, brand = {} }: DeliveryMessage,
  unsubscribeUrl: string,
): string {
  const sentences = lines.map((line) => `<p class="soft">${escapeHtml(line)}</p>`);
  const listed = rows
    .map(
      ({ title, text, about, url: place }) =>
        `<p class="row"><a href="${escapeHtml(place)}">${escapeHtml(title)}</a><br>${escapeHtml(text)}<br><span>${escapeHtml(about)}</span></p>`,
    )
    .join("\n");
  const { name = "Tidemark", color, logoCid } = brand;
  const paragraphs = [...sentences.slice(0, 1), figuresHtml(figures), chartHtml(chart, color), ...sentences.slice(1)]
    .filter((part) => part !== "")
    .join("\n");
  const logo =
    logoCid === undefined
      ? ""
      : `<img src="cid:${escapeHtml(logoCid)}" alt="" height="32" style="vertical-align: middle"> `;
  // The colour stays in dark mode, because its text is white.
  const branded = color === undefined ? "" : ` style="background: ${escapeHtml(color)}; color: #ffffff"`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escapeHtml(subject)}</title>
<style>
${style}</style>
</head>
<body>
<div class="card">
<p class="brand">${logo}${escapeHtml(oneLine(name, 100))}</p>
<h1>${escapeHtml(subject)}</h1>
${paragraphs}
${listed}
<a class="button"${branded} href="${escapeHtml(url)}">${escapeHtml(button)}</a>
</div>
<p class="foot"><a href="${escapeHtml(unsubscribeUrl)}">Unsubscribe</a></p>
</body>
</html>
`;
}
