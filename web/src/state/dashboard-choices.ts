/** What the panels of a dashboard have in common: the range, the zone, the comparison. Pure. */

/** Each set is one choice: what the page says of it stands in place of all that was kept of it. */
const sharedSets = [["range", "from", "through", "to"], ["tz"], ["compare", "match"]] as const;
const shared: ReadonlySet<string> = new Set(sharedSets.flat());

/** What the whole dashboard has in common: as it was kept, with what the page's address says instead. */
export function sharedQuery(kept: string, page: string): URLSearchParams {
  const [search, said] = [new URLSearchParams(kept), new URLSearchParams(page)];
  for (const names of sharedSets) {
    if (!names.some((name) => said.has(name))) continue;
    for (const name of names) {
      const value = said.get(name);
      if (value === null) search.delete(name);
      else search.set(name, value);
    }
  }
  for (const name of [...search.keys()]) if (!shared.has(name)) search.delete(name);
  return search;
}

/** What a panel asks: its own question, of the range, zone and comparison of the dashboard. */
export function panelQuery(panel: string, dashboard: URLSearchParams): URLSearchParams {
  const search = new URLSearchParams(panel);
  // Steps and sorting that fit one range make no sense of another.
  for (const name of [...shared, "window", "sort", "groups", "course"]) search.delete(name);
  for (const [name, value] of dashboard) search.set(name, value);
  return search;
}
