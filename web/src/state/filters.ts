/** Filters of figures as the address says them and as the server is asked, pure. */

export const operators = [
  { value: "is", label: "is" },
  { value: "not", label: "is not" },
  { value: "prefix", label: "starts with" },
] as const;

export interface Filter {
  dimension: string;
  operator: (typeof operators)[number]["value"];
  /** Empty: not given. */
  value: string;
}

/** From the address: `room:is:daily;user:prefix:u`, the values percent-encoded. What is none is left out. */
export function parseWhere(text: string | undefined): Filter[] {
  return (text ?? "").split(";").flatMap((part): Filter[] => {
    const [dimension, operatorName, encoded, ...more] = part.split(":");
    const operator = operators.find(({ value }) => value === operatorName)?.value;
    if (!dimension || operator === undefined || encoded === undefined || more.length > 0) return [];
    const value = decoded(encoded);
    return value === undefined || (operator === "prefix" && value === "") ? [] : [{ dimension, operator, value }];
  });
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

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

/** As parameters of a question. Several values that a dimension may not have hold together. */
export function filterQuery(filters: readonly Filter[]): Record<string, string[]> {
  const names = { is: "[eq]", not: "[not]", prefix: "[prefix]" } as const;
  const query: Record<string, string[]> = {};
  for (const { dimension, operator, value } of filters) {
    const name = `filter[${dimension}]${names[operator]}`;
    query[name] = [...(query[name] ?? []), value];
  }
  return query;
}
