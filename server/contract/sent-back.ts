/** Bodies of edits that may be a whole resource, as it was read, in place of the changes alone. */
import { z } from "zod";

/** The changes, beside what cannot be changed and comes back as it is: `sentBack` of the server holds it to that. */
export function changesOrWhole<Changes extends z.ZodObject, Whole extends z.ZodObject>(changes: Changes, whole: Whole) {
  const shape = z.strictObject({ ...whole.partial().shape, ...changes.shape });
  return shape as unknown as z.ZodType<z.output<Changes> & Record<string, unknown>>;
}
