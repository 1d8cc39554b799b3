/**
 * The address bar, and the way from page to page. Everything a page shows that is worth sharing is in its query. Knows no page:
 * every page knows it (page-table.ts).
 */
import { createRouter, type RouteComponent, type RouterApi, searchParams } from "sv-router";

/** As the router's types want it: all paths as one without parameters. Those with parameters are written out before they get here. */
type Pages = { "/": RouteComponent };
type PagePath = "/";

let router: RouterApi<Pages>;

/** The pages by path; to be called before the first is shown. */
export function openPages(pages: Pages): void {
  router = createRouter(pages);
}

/** The path as it is; reactive. */
export const route: Pick<typeof router.route, "pathname" | "params"> = {
  get pathname() {
    return router.route.pathname;
  },
  get params() {
    return router.route.params;
  },
};

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
