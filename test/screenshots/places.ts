/** Every page of the dashboard, and when it has come to rest. */
import type { BrowserContext, Page } from "playwright-core";
import { patienceMs } from "../support/patience.ts";
import { eventually } from "../support/service.ts";

export interface Place {
  name: string;
  path: string;
}

/** Is it asked for? All are where there is no list; else those whose names begin as one of it does, parted by commas. */
export const isWanted = (name: string, list: string | undefined): boolean =>
  (list?.split(",") ?? [""]).some((one) => name.startsWith(one));

export const places: readonly Place[] = [
  { name: "live", path: "/" },
  { name: "wall", path: "/?wall=1" },
  { name: "period", path: "/period" },
  { name: "usage", path: "/usage" },
  { name: "usage-grouped", path: "/usage?by=organization" },
  { name: "usage-compared", path: "/usage?compare=previous&match=weekday" },
  { name: "dashboards", path: "/dashboards" },
  { name: "ingest", path: "/ingest" },
  { name: "overview", path: "/overview" },
  { name: "activity", path: "/activity" },
  { name: "organizations", path: "/organizations" },
  { name: "models", path: "/models" },
  { name: "tree", path: "/tree" },
  { name: "sessions", path: "/sessions" },
  { name: "alerts", path: "/alerts" },
  { name: "rules", path: "/rules" },
  { name: "new-rule", path: "/rules/new" },
  { name: "channels", path: "/channels" },
  { name: "reports", path: "/reports" },
  { name: "new-report", path: "/reports/new" },
  { name: "schedules", path: "/schedules" },
  { name: "new-schedule", path: "/schedules/new" },
  { name: "branding", path: "/branding" },
  { name: "plans", path: "/plans" },
  { name: "new-plan", path: "/plans/new" },
  { name: "subscriptions", path: "/subscriptions" },
  { name: "new-subscription", path: "/subscriptions/new" },
  { name: "statements", path: "/statements" },
  { name: "what-if", path: "/what-if" },
  { name: "keys", path: "/keys" },
  { name: "people", path: "/people" },
  { name: "audit", path: "/audit" },
  { name: "account", path: "/account" },
  { name: "not-found", path: "/no-such-page" },
];

const organizationTabs = [
  "people",
  "sessions",
  "features",
  "documents",
  "subscription",
  "statements",
  "alerts",
  "reports",
];
/** One of those that the demonstration's events name. */
const anAgent = "desk-1";
const resellerTabs = ["customers", "people", "subscription", "statements"];

function organizationPlaces(node: string): Place[] {
  const path = `/organizations/${encodeURIComponent(node.replace(/^organization:/, ""))}`;
  return [
    { name: "organization", path },
    { name: "organization-limit", path: `${path}?course=1` },
    ...organizationTabs.map((tab) => ({ name: `organization-${tab}`, path: `${path}?tab=${tab}` })),
    { name: "usage-limit", path: `/usage?${new URLSearchParams({ node, course: "1" })}` },
  ];
}

/** Undefined where it is no success. */
async function answerOf({ request }: Pick<BrowserContext, "request">, address: string) {
  const answer = await request.get(address);
  return answer.ok() ? answer : undefined;
}

/** Pages of one thing each: the first that the API lists. */
export async function detailPlaces(context: Pick<BrowserContext, "request">, url: string): Promise<Place[]> {
  // A service that has much to do answers 503 until it can.
  const read = async (path: string) => (await eventually(path, () => answerOf(context, url + path))).json();
  const [
    { organizations },
    { sessions },
    { alerts },
    { plans },
    { subscriptions },
    { statements },
    { rules },
    { nodes: resellers },
    { nodes: partners },
    { meters: ofAgent },
    { views },
    { channels },
    { reports },
    { schedules },
  ] = await Promise.all(
    [
      "/v1/organizations?sort=usage&limit=1",
      "/v1/sessions?limit=1",
      "/v1/alerts?limit=1",
      "/v1/plans",
      "/v1/subscriptions?limit=1",
      "/v1/statements?limit=1",
      "/v1/rules?limit=1",
      "/v1/nodes?kind=reseller&limit=1",
      "/v1/nodes?kind=partner&limit=1",
      `/v1/usage?meter=participation_minutes&window=total&group_by=organization&limit=1&filter[agent]=${anAgent}`,
      "/v1/views",
      "/v1/channels?limit=1",
      "/v1/reports?limit=1",
      "/v1/schedules?limit=1",
    ].map(read),
  );
  const [organization] = organizations;
  const of = (name: string, path: string, list: { id: string }[]): Place[] =>
    list[0] ? [{ name, path: `${path}/${list[0].id}` }] : [];
  const inTree = (name: string, node: string | undefined, tabs: string[] = []): Place[] => {
    if (node === undefined) return [];
    const path = `/tree/${encodeURIComponent(node)}`;
    return [{ name, path }, ...tabs.map((tab) => ({ name: `${name}-${tab}`, path: `${path}?tab=${tab}` }))];
  };
  const withAgent: string | undefined = ofAgent[0].groups[0]?.key;
  return [
    ...(organization ? organizationPlaces(organization.node) : []),
    ...inTree("root", "all"),
    ...inTree("reseller", resellers[0]?.node, resellerTabs),
    ...inTree("partner", partners[0]?.node),
    ...inTree("agent", withAgent && `agent:${encodeURIComponent(withAgent)}/${anAgent}`, ["sessions"]),
    ...sessions.slice(0, 1).map((one: { organization: string; session: string }) => ({
      name: "session",
      path: `/sessions/${encodeURIComponent(one.organization)}/${encodeURIComponent(one.session)}`,
    })),
    ...of("alert", "/alerts", alerts),
    ...of("rule", "/rules", rules),
    ...of("plan", "/plans", plans),
    ...of("subscription", "/subscriptions", subscriptions),
    ...of("statement", "/statements", statements),
    ...of(
      "dashboard",
      "/dashboards",
      views.filter(({ panels }: { panels: unknown }) => panels !== null),
    ),
    ...of("channel", "/channels", channels),
    ...of("report", "/reports", reports),
    ...reports.slice(0, 1).map(({ id }: { id: string }) => ({ name: "edit-report", path: `/reports/${id}/edit` })),
    ...of("schedule", "/schedules", schedules),
  ];
}

/** Nothing is awaited any more, and what is drawn stands still. */
export async function comeToRest(page: Page): Promise<void> {
  await page.locator("main h1").first().waitFor({ state: "attached", timeout: patienceMs });
  await page.waitForFunction(
    () => {
      const isAwaited =
        document.querySelector("div.animate-pulse, main [aria-busy=true], main .transition-opacity.opacity-50") !==
        null;
      const now = performance.now();
      const seen = window as unknown as { quietSince?: number };
      if (isAwaited) delete seen.quietSince;
      else seen.quietSince ??= now;
      // A panel shows nothing until its answer has been awaited for a while.
      return now - (seen.quietSince ?? now) > 500 && document.fonts.status === "loaded";
    },
    undefined,
    { timeout: patienceMs },
  );
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}
