/** Edits by a whole resource: what cannot be changed of it must be as it is. */
import type { z } from "zod";
import { canonicalJson, toPlainJson } from "../audit/canonical-json.ts";
import { ProblemError } from "../problem.ts";

/**
 * What the body changes, by the schema of changes. Throws `invalid_request` naming a field that cannot be changed and differs from
 * `current`, the resource as the caller sees it. `moving`: what follows from other fields, or changes by itself: it is not looked at.
 */
export function changesOf<Changes extends z.ZodObject>(
  body: object,
  changes: Changes,
  current: object,
  moving: readonly string[] = [],
): z.output<Changes> {
  const isChange = (field: string) => Object.hasOwn(changes.shape, field);
  const seen: Readonly<Record<string, unknown>> = { ...current };
  const stays = Object.entries(body).filter(([field]) => !isChange(field) && !moving.includes(field));
  for (const [field, value] of stays) {
    if (value === undefined || isSame(value, seen[field])) continue;
    throw new ProblemError("invalid_request", "cannot be changed: leave it out, or send it as it is", { field });
  }
  return Object.fromEntries(Object.entries(body).filter(([field]) => isChange(field))) as z.output<Changes>;
}

const isSame = (a: unknown, b: unknown) => canonicalJson(toPlainJson(a)) === canonicalJson(toPlainJson(b));
