/** How far back a list goes, as the address says it: `days=7`. */
import { dayMs } from "@contract/durations.ts";
import { queryValue } from "../router.ts";

type Texts = Record<"atAnyTime" | "last24Hours" | "last7Days" | "last30Days" | "last90Days", string>;

/** The first leaves nothing out. */
export const pastDays = (t: Texts) => [
  { value: "", label: t.atAnyTime },
  { value: "1", label: t.last24Hours },
  { value: "7", label: t.last7Days },
  { value: "30", label: t.last30Days },
  { value: "90", label: t.last90Days },
];

/** Empty where the address says none that is offered; reactive. */
export const askedDays = (): string => ["1", "7", "30", "90"].find((days) => days === queryValue("days")) ?? "";

/** The instant this many days ago, RFC 3339; undefined without a number. */
export const daysAgo = (days: string): string | undefined =>
  days === "" ? undefined : new Date(Date.now() - Number(days) * dayMs).toISOString();
