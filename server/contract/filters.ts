/**
 * Filters in a query, `filter[dimension]=a`: the same grammar wherever rows or figures can be narrowed down.
 * What they mean is read by server/catalog/filters.ts.
 */
import { z } from "zod";

/** How a filter's values are held against a row's. `eq` is `in` with one value, in which a comma is only a comma. */
export const filterOperators = ["eq", "in", "not", "prefix"] as const;

/** For the description of a route that takes filters. */
export const filterGrammar = [
  "Filters: `filter[dimension]=a` or `=a,b` (one of them), `filter[dimension][not]=a,b` (none of them),",
  "`filter[dimension][prefix]=a`, `filter[dimension][eq]=a,b` (exactly this text, commas and all).",
  "Repeating a parameter adds values; different parameters must all match. An empty value matches events where it is not set.",
].join(" ");

const filterParameter = /^filter\[/;
const filterText = z.union([z.string(), z.array(z.string())]);

/** The schema of a query with these parameters and any filters; every other parameter is refused by its name. */
export function queryWithFilters<Shape extends z.ZodRawShape>(shape: Shape) {
  return z
    .object(shape)
    .catchall(filterText)
    .superRefine((query, context) => {
      const keys = Object.keys(query).filter((name) => !(name in shape) && !filterParameter.test(name));
      if (keys.length > 0) context.addIssue({ code: "unrecognized_keys", keys, input: query });
    });
}
