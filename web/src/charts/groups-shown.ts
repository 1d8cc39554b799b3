/** Which groups a chart draws, of one meter: what is drawn beside it would be its other groups, not other meters. */
import type { UsageAnswer } from "@contract/usage.ts";
import type { GroupsShown } from "./chart-content.ts";

/** `charted`: the keys of those that stand for themselves. */
export type GroupsCharted = GroupsShown & { charted: readonly string[] };

/** The groups of the meter `only`, else of the first; undefined where the answer has no groups. */
export function groupsShownIn(
  meters: UsageAnswer["meters"],
  groupBy: string | undefined,
  only: string | undefined,
  nameOf: (dimension: string, key: string) => string,
): GroupsCharted | undefined {
  const shown = meters.find(({ meter }) => meter === only) ?? meters[0];
  if (groupBy === undefined || shown === undefined) return undefined;
  const charted = (shown.groups ?? []).filter((group) => !group.is_other).map(({ key }) => key);
  return { meter: shown.meter, charted, nameOf: (key) => nameOf(groupBy, key) };
}
