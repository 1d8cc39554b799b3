/** A message in the form of Slack's incoming webhooks. Names that users gave stand in plain text, where nothing is markup. */
import type { DeliveryMessage } from "../postgres/schema/delivery.ts";
import { escapeSlack, figureLine, oneLine } from "./inert-text.ts";

const headerLength = 150;
const sectionLength = 2_900;

export function slackBody({ subject, lines, figures = [], url, button }: DeliveryMessage): string {
  const title = oneLine(subject);
  const plain = (text: string, maxLength: number) => ({
    type: "plain_text",
    text: escapeSlack(text, maxLength),
    emoji: false,
  });
  const shown = [...lines.slice(0, 1), ...figures.map(figureLine), ...lines.slice(1)]
    .map((line) => oneLine(line))
    .join("\n");
  const link = url.replace(/[|<>\s]/g, encodeURIComponent).replaceAll("&", "&amp;");
  return JSON.stringify({
    text: escapeSlack(title, sectionLength),
    mrkdwn: false,
    unfurl_links: false,
    blocks: [
      { type: "header", text: plain(title, headerLength) },
      ...(shown === "" ? [] : [{ type: "section", text: plain(shown, sectionLength) }]),
      {
        type: "section",
        text: { type: "mrkdwn", text: `<${link}|${escapeSlack(oneLine(button), 75)}>`, verbatim: true },
      },
    ],
  });
}
