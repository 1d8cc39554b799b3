/** What several routes know, they know alike. What runs is asked before and after: it stands between the two. */
import { nodeAddress } from "../../server/contract/node-address.ts";
import type { Organization, OrganizationList } from "../../server/contract/organizations.ts";
import type { Overview } from "../../server/contract/overview.ts";
import type { Period } from "../../server/contract/quotas.ts";
import type { SessionAnswer, SessionSummary } from "../../server/contract/sessions.ts";
import type { StatementDetail, StatementList } from "../../server/contract/statements.ts";
import type { UsageAnswer } from "../../server/contract/usage.ts";
import { eventually } from "../support/service.ts";
import type { Api } from "./ask-api.ts";
import type { Compared } from "./compared.ts";
import { compare, plain, sum } from "./decimals.ts";
import { isBetween, minutesOf } from "./usage-question.ts";

export async function compareRoutes(api: Api, compared: Compared): Promise<void> {
  const routes = { overviewRoute, organizationsRoute, statementsRoute, sessionsRoute, liveRoute };
  for (const [name, one] of Object.entries(routes)) {
    const place = `routes, ${name.replace("Route", "")}`;
    try {
      await one(api, compared, place);
    } catch (error) {
      compared.differ(place, (error as Error).message.split("\n")[0] ?? "");
    }
    console.log(`${place}: ${compared.lineOf(place)}`);
  }
}

const address = (path: string, query: Record<string, string | undefined>) =>
  `${path}?${new URLSearchParams(Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])))}`;

type Asked = Record<string, string | undefined> & { meter: string };

const usage = (api: Api, asked: Asked) =>
  api.json<UsageAnswer>(address("/v1/usage", { window: "total", tz: "UTC", ...asked }));

/** The totals of the meters, or of the groups of the first, by what they are called. */
function totalsOf({ meters }: UsageAnswer, by?: "group"): Map<string, string> {
  const all = by ? (meters[0]?.groups ?? []).filter(({ is_other }) => is_other !== true) : meters;
  return new Map(all.map((one) => ["meter" in one ? one.meter : one.key, plain(one.total) ?? ""]));
}

/** Each figure stands between what was known before and after. */
function within(
  compared: Compared,
  place: string,
  what: string,
  found: ReadonlyMap<string, string>,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): void {
  for (const [name, value] of found) {
    compared.count(place, what);
    const [low, high] = [before.get(name) ?? "0", after.get(name) ?? "0"];
    if (value !== "" && !isBetween(value, low, high))
      compared.differ(place, `${what}: ${name} is ${value}, not ${low === high ? low : `between ${low} and ${high}`}`);
  }
}

async function overviewRoute(api: Api, compared: Compared, place: string): Promise<void> {
  const first = await api.json<Overview>("/v1/overview?tz=UTC");
  const month = { from: first.month.start, to: "now" };
  const asked = { ...month, meter: first.usage.map(({ meter }) => meter).join(",") };
  const main = { ...month, meter: first.meter, limit: "200" };
  const dimensions = { organizations: "organization", languages: "language", models: "model" } as const;
  const all = async () => ({
    whole: await usage(api, asked),
    days: await usage(api, { ...main, window: "day", from: first.days[0]?.start }),
    groups: await Promise.all(Object.values(dimensions).map((group_by) => usage(api, { ...main, group_by }))),
  });
  const before = await all();
  // An overview may be some seconds old; what knows more than the last of these answers was read after them.
  const { watermark } = await usage(api, { ...month, meter: first.meter });
  const seen = await eventually("a newer overview", async () => {
    const next = await api.json<Overview>("/v1/overview?tz=UTC");
    return next.watermark > watermark ? next : undefined;
  });
  const after = await all();
  const totals = new Map(seen.usage.map(({ meter, total }) => [meter, plain(total) ?? ""]));
  within(compared, place, "overview = usage", totals, totalsOf(before.whole), totalsOf(after.whole));
  const seriesOf = ({ meters }: UsageAnswer) =>
    new Map((meters[0]?.series ?? []).map(({ start, value }) => [start, plain(value) ?? ""]));
  const days = new Map(seen.days.map(({ start, value }) => [start, plain(value) ?? ""]));
  within(compared, place, "days = usage", days, seriesOf(before.days), seriesOf(after.days));
  for (const [nth, list] of (Object.keys(dimensions) as (keyof typeof dimensions)[]).entries()) {
    const [low, high] = [before.groups[nth], after.groups[nth]];
    const ranked = new Map(seen.top[list].map(({ key, total }) => [key, plain(total) ?? ""]));
    if (low && high)
      within(compared, place, `${list} = groups`, ranked, totalsOf(low, "group"), totalsOf(high, "group"));
  }
  const list = await api.json<OrganizationList>("/v1/organizations?limit=1");
  compared.same(place, "overview = list", "organizations", String(seen.organizations.total), String(list.total));
  const counts = { quota: seen.organizations.by_quota, status: seen.organizations.by_status };
  for (const [filter, byValue] of Object.entries(counts))
    for (const [value, count] of Object.entries(byValue)) {
      const { total } = await api.json<OrganizationList>(address("/v1/organizations", { [filter]: value, limit: "1" }));
      compared.same(place, "overview = list", `${filter} ${value}`, String(count), String(total));
    }
}

async function organizationsRoute(api: Api, compared: Compared, place: string): Promise<void> {
  const from = `${new Date().toISOString().slice(0, 7)}-01`;
  const groups = () =>
    usage(api, { meter: "transcribed_minutes", from, to: "now", group_by: "organization", limit: "200" });
  const before = await groups();
  const found: Organization[] = [];
  let cursor: string | null | undefined;
  do {
    const page = await api.json<OrganizationList>(
      address("/v1/organizations", { limit: "100", cursor: cursor ?? undefined }),
    );
    found.push(...page.organizations);
    cursor = page.next_cursor;
  } while (cursor);
  const after = await groups();
  const rows = new Map(found.map(({ id, usage: used }) => [id, plain(used) ?? ""]));
  within(compared, place, "list = groups", rows, totalsOf(before, "group"), totalsOf(after, "group"));
  // The limit that is nearest, in the list and in the cycle of each.
  for (const { node, quota } of found.filter((one) => one.quota !== null).slice(0, 12)) {
    const { quotas } = await api.json<Period>(address("/v1/period", { node, cycles: "0" }));
    const same = quotas.find(({ feature }) => feature === quota?.feature);
    compared.count(place, "list = period");
    const [listed, now] = [quota?.percent ?? "0", same?.percent ?? "0"];
    if (compare(plain(listed) ?? "0", plain(now) ?? "0") > 0)
      compared.differ(place, `${node} ${quota?.feature}: ${listed} % in the list, then ${now} % in its period`);
  }
}

async function statementsRoute(api: Api, compared: Compared, place: string): Promise<void> {
  const { statements } = await api.json<StatementList>("/v1/statements?kind=subscription&limit=15");
  eachStatement: for (const { id, node } of statements) {
    const seen = await api.json<StatementDetail>(`/v1/statements/${id}`);
    for (const { level, lines, total } of seen.charges)
      compared.same(
        place,
        "sum of lines = total",
        `${id} ${level}`,
        sum(lines.map(({ amount }) => amount)),
        plain(total),
      );
    // What came after it was closed is in its adjustments.
    if (seen.adjustments.length > 0) continue;
    for (const { meter, from, to, used } of seen.usage) {
      const which = `${meter} of ${node} from ${from} (${id})`;
      const asked = { meter, node, from, to, tz: seen.tz };
      const { meters } = await usage(api, asked);
      const { figure, corrections } = await api.json<{ figure: { total: unknown }; corrections: { at: string }[] }>(
        address("/v1/explain", { ...asked, limit: "1" }),
      );
      // Where that changed no amount of money, the statement has no adjustment of it.
      if (corrections.some(({ at }) => at > seen.closed_at)) continue eachStatement;
      compared.same(place, "statement = usage", which, plain(used), plain(meters[0]?.total));
      compared.same(place, "statement = explanation", which, plain(used), plain(figure.total));
    }
    const { past } = await api.json<Period>(address("/v1/period", { node, cycles: "6" }));
    // Of a cycle in which the node moved, each parent has a part.
    const isSame = (one: string, other: string) => Date.parse(one) === Date.parse(other);
    const cycle = past.find(({ start, end }) => isSame(start, seen.from) && isSame(end, seen.to));
    for (const { feature, used } of cycle?.quotas ?? []) {
      const parts = seen.usage.filter((one) => one.feature === feature && one.is_trial !== true);
      if (parts.length === 1)
        compared.same(
          place,
          "statement = past cycle",
          `${feature} of ${id}`,
          parts[0] && plain(parts[0].used),
          plain(used),
        );
    }
  }
}

async function sessionsRoute(api: Api, compared: Compared, place: string): Promise<void> {
  const { sessions } = await api.json<{ sessions: SessionSummary[] }>("/v1/sessions?state=ended&limit=12");
  for (const one of sessions) {
    const { organization, session } = one;
    const path = `/v1/sessions/${encodeURIComponent(organization)}/${encodeURIComponent(session)}`;
    const seen = await api.json<SessionAnswer>(`${path}?limit=10000`);
    const which = `${organization} ${session}`;
    compared.same(
      place,
      "list = session",
      `${which}: peak`,
      String(one.peak_participants),
      String(seen.peak_participants),
    );
    compared.same(place, "list = session", `${which}: duration`, String(one.duration_ms), String(seen.duration_ms));
    const node = nodeAddress("organization", organization);
    const range = { node, from: "2000-01-01", to: "now", "filter[session]": session };
    const { meters } = await usage(api, { ...range, meter: "participation_minutes,max_concurrent_participants" });
    const [minutes, peak] = meters;
    const present = seen.intervals.filter(({ level }) => level === "participants");
    const ms = present.reduce((all, { duration_ms }) => all + duration_ms, 0);
    compared.same(place, "intervals = minutes", which, minutesOf(ms), plain(minutes?.total));
    compared.same(place, "session = peak", which, String(seen.peak_participants), plain(peak?.total));
  }
}

interface LiveAnswer {
  levels: { live_participants: number; live_sessions: number };
  rooms: { participants: number }[];
}

async function liveRoute(api: Api, compared: Compared, place: string): Promise<void> {
  const { levels, rooms } = await api.json<LiveAnswer>("/v1/live");
  const present = rooms.reduce((all, { participants }) => all + participants, 0);
  compared.same(place, "rooms = sessions", "live sessions", String(rooms.length), String(levels.live_sessions));
  compared.same(place, "rooms = participants", "live participants", String(present), String(levels.live_participants));
}
