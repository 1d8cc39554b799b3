/** The pages and the address bar. Everything a page shows that is worth sharing is in its query. */
import { createRouter, searchParams } from "sv-router";
import Live from "./pages/Live.svelte";

const router = createRouter({
  "/": Live,
  "/overview": () => import("./pages/Overview.svelte"),
  "/usage": () => import("./pages/Usage.svelte"),
  "/sessions": () => import("./pages/Sessions.svelte"),
  "/sessions/:organization/:session": () => import("./pages/Session.svelte"),
  "/ingest": () => import("./pages/Ingest.svelte"),
  "/activity": () => import("./pages/Activity.svelte"),
  "/period": () => import("./pages/Period.svelte"),
  "/alerts": () => import("./pages/Alerts.svelte"),
  "/alerts/:id": () => import("./pages/Alert.svelte"),
  "/rules": () => import("./pages/Rules.svelte"),
  "/rules/new": () => import("./pages/NewRule.svelte"),
  "/rules/:id": () => import("./pages/Rule.svelte"),
  "/channels": () => import("./pages/Channels.svelte"),
  "/channels/:id": () => import("./pages/Channel.svelte"),
  "/organizations": () => import("./pages/Organizations.svelte"),
  "/organizations/:id": () => import("./pages/Organization.svelte"),
  "/models": () => import("./pages/Models.svelte"),
  "/tree": () => import("./pages/Tree.svelte"),
  "/reports": () => import("./pages/Reports.svelte"),
  "/reports/new": () => import("./pages/NewReport.svelte"),
  "/reports/:id": () => import("./pages/Report.svelte"),
  "/reports/:id/edit": () => import("./pages/EditReport.svelte"),
  "/schedules": () => import("./pages/Schedules.svelte"),
  "/schedules/new": () => import("./pages/NewSchedule.svelte"),
  "/schedules/:id": () => import("./pages/Schedule.svelte"),
  "/plans": () => import("./pages/Plans.svelte"),
  "/plans/new": () => import("./pages/NewPlan.svelte"),
  "/plans/:id": () => import("./pages/Plan.svelte"),
  "/subscriptions": () => import("./pages/Subscriptions.svelte"),
  "/subscriptions/new": () => import("./pages/NewSubscription.svelte"),
  "/subscriptions/:id": () => import("./pages/Subscription.svelte"),
  "/statements": () => import("./pages/Statements.svelte"),
  "/statements/:id": () => import("./pages/Statement.svelte"),
  "/what-if": () => import("./pages/WhatIf.svelte"),
  "/keys": () => import("./pages/Keys.svelte"),
  "/people": () => import("./pages/People.svelte"),
  "/audit": () => import("./pages/Audit.svelte"),
  "/account": () => import("./pages/Account.svelte"),
  "*": () => import("./pages/NotFound.svelte"),
});

/** The path as it is; reactive. */
export const route = router.route;

/** As the router's types want it: a path without parameters. Those with parameters are written out before they get here. */
type PagePath = "/";

/** Opens another page; `path` may have a query. */
export function goTo(path: string): void {
  const [pathname = "/", search] = path.split("?", 2);
  void router.navigate(pathname as PagePath, search === undefined ? {} : { search });
}

/** What stands in the path for `:name`, decoded; empty where the page has none. Reactive. */
export function pathValue(name: string): string {
  return (route.params as Record<string, string | undefined>)[name] ?? "";
}

/** One value of the query, as it stands; reactive. */
export function queryValue(name: string): string | undefined {
  return searchParams.toURLSearchParams().get(name) ?? undefined;
}

/** The whole query, as an address has it behind `?`; reactive. */
export const queryText = (): string => searchParams.toURLSearchParams().toString();

/** The live figures stand alone, without a way to other pages: `/?wall=1`. Reactive. */
export const isWall = (): boolean => route.pathname === "/" && queryValue("wall") === "1";

/** A query on its way into the address: what changes next is added to it, or it would be lost. */
let underway: { pathname: string; search: URLSearchParams } | undefined;

/**
 * Changes values of the query and leaves the others; undefined removes one. Each call is a step that Back undoes, unless
 * `replace`.
 */
export function setQuery(changes: Record<string, string | undefined>, options: { replace?: boolean } = {}): void {
  const pathname: string = route.pathname;
  const search = new URLSearchParams(
    underway?.pathname === pathname ? underway.search : searchParams.toURLSearchParams(),
  );
  const before = search.toString();
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === "") search.delete(name);
    else search.set(name, value);
  }
  if (search.toString() === before) return;
  const next = { pathname, search };
  underway = next;
  void router
    .navigate(pathname as PagePath, { search: search.toString(), scrollToTop: false, ...options })
    .finally(() => {
      if (underway === next) underway = undefined;
    });
}

/** Lets the browser handle clicks that ask for a new tab or window, which the router would take for its own. */
export function keepModifiedClicks(root: Document): () => void {
  const keep = (event: MouseEvent) => {
    const isModified = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0;
    if (isModified && event.target instanceof Element && event.target.closest("a")) event.stopPropagation();
  };
  root.addEventListener("click", keep);
  return () => root.removeEventListener("click", keep);
}
