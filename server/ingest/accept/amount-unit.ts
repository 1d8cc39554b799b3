/**
 * The unit of a stored amount. It is as the emitter gave it: in the unit of its type, or in seconds, which its dimensions then
 * say first. So amounts of different units never meet in one counter, both stay exact, and whatever adds them up
 * (clickhouse/fragments/sixtieths.sql) divides once.
 */

/** The first member of the dimensions of an amount in seconds; no type may declare a dimension of this name. */
export const unitOfSeconds = '"unit":"seconds"';

/** The amount of a stored event under the field that it was sent in. */
export function amountOf(value: string | null, dims: string): { value?: string; seconds?: string } {
  if (value === null) return {};
  return dims.startsWith(`{${unitOfSeconds}`) ? { seconds: value } : { value };
}
