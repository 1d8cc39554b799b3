/**
 * Messages about several alerts: each is a part, and how the message reads follows from the parts that its receiver may
 * see when it is sent. Pure.
 */
import type { DeliveryMessage, MessageHeading, MessagePart } from "../postgres/schema/delivery.ts";

type Reading = Pick<DeliveryMessage, "subject" | "lines" | "rows" | "parts" | "heading">;

/** `more`: what stood in parts that there was no room to keep. */
export function combinedMessage(heading: MessageHeading, parts: readonly MessagePart[], more = 0): Reading {
  const rows = parts.flatMap(({ row }) => row ?? []);
  const texts = textsOf(heading, parts, more);
  return { ...texts, ...(heading.of === "digest" && { rows }), parts: [...parts], heading };
}

/** The message without the parts that its receiver may not see; undefined where they see none of them. */
export function narrowed(
  message: DeliveryMessage,
  isSeen: (part: MessagePart) => boolean,
): DeliveryMessage | undefined {
  const { parts, heading, more } = message;
  if (!parts) return message;
  // Written by a version that kept no words above its parts: all of it or nothing.
  if (!heading) return parts.every(isSeen) ? message : undefined;
  const seen = parts.filter(isSeen);
  if (seen.length === parts.length) return message;
  return seen.length === 0 ? undefined : { ...message, ...combinedMessage(heading, seen, more) };
}

/** Ids of all alerts that a message to one person is about. */
export function alertsOf({ parts, alerts = [] }: DeliveryMessage): string[] {
  return parts ? parts.flatMap((part) => part.alerts) : alerts;
}

const countOf = (parts: number) => (parts === 1 ? "1 alert" : `${parts} alerts`);

function textsOf(
  heading: MessageHeading,
  parts: readonly MessagePart[],
  more: number,
): Pick<DeliveryMessage, "subject" | "lines"> {
  const lines = parts.flatMap((part) => part.lines);
  switch (heading.of) {
    case "rule": {
      const left = parts.filter((part) => part.lines.length === 0).length;
      return {
        subject: `${heading.opening}${countOf(parts.length)} from the rule ${heading.rule}`,
        lines: left > 0 ? [...lines, `And ${left} more.`] : lines,
      };
    }
    case "digest": {
      const firing = parts.filter(({ isFiring }) => isFiring).length;
      const listed = parts.filter(({ row }) => row).length;
      const count = countOf(parts.length);
      return {
        subject: `Your digest: ${count}, ${firing === 0 ? "none" : firing} firing now`,
        lines: listed < parts.length ? [`The first ${listed} of ${count}; see the dashboard for the rest.`] : [],
      };
    }
    case "waited":
      return {
        subject: `${parts.length + more} alert messages that were held back`,
        lines: more > 0 ? [...lines, "See the dashboard for the rest."] : lines,
      };
  }
}
