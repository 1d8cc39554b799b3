/** How far an answer with figures knows what was accepted, said in the same header whatever the form of the answer. */
import type { Context } from "hono";

/** As the `watermark` of its JSON form has it: an RFC 3339 instant. */
export const watermarkHeader = "Tidemark-Watermark";

/** Call it before the answer is made. Returns the text for the member `watermark`; where nothing is known for certain null, without the header. */
export function sayWatermark(c: Context, watermark: Date | string): string;
export function sayWatermark(c: Context, watermark: Date | string | null): string | null;
export function sayWatermark(c: Context, watermark: Date | string | null): string | null {
  if (watermark === null) return null;
  const text = typeof watermark === "string" ? watermark : watermark.toISOString();
  c.header(watermarkHeader, text);
  return text;
}
