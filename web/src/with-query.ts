export type QueryValue = string | number | boolean | readonly string[] | undefined;

/** The path with a query: of several values each stands on its own; what is undefined or empty is left out. */
export function withQuery(path: string, values: Readonly<Record<string, QueryValue>>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== "") search.append(name, String(one));
  return search.size > 0 ? `${path}?${search}` : path;
}
