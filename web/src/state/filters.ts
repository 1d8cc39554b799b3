/** Filters of figures as people put them together and as the address says them, pure. */
import type { Filter } from "@contract/usage-question.ts";

export const operators = ["is", "not", "prefix"] as const satisfies readonly Filter["operator"][];

/** Undefined without filters. */
export function formatWhere(filters: readonly Filter[]): string | undefined {
  const parts = filters.map(
    ({ dimension, operator, value }) => `${dimension}:${operator}:${encodeURIComponent(value)}`,
  );
  return parts.length > 0 ? parts.join(";") : undefined;
}

/** With one more; one that says the same is not there twice, and one value of a dimension takes the place of another. */
export function withFilter(filters: readonly Filter[], added: Filter): Filter[] {
  const kept = filters.filter(
    ({ dimension, operator, value }) =>
      dimension !== added.dimension ||
      (added.operator === "is" ? operator !== "is" : operator !== added.operator || value !== added.value),
  );
  return [...kept, added];
}
