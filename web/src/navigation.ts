/** The pages that the navigation leads to, in groups. A page whose action the user has nowhere would answer nothing but refusals. */
import type { Action } from "@contract/accounts.ts";
import Activity from "@lucide/svelte/icons/activity";
import BellRing from "@lucide/svelte/icons/bell-ring";
import Building from "@lucide/svelte/icons/building-2";
import Calculator from "@lucide/svelte/icons/calculator";
import CalendarClock from "@lucide/svelte/icons/calendar-clock";
import CalendarSync from "@lucide/svelte/icons/calendar-sync";
import ChartColumn from "@lucide/svelte/icons/chart-column";
import FileText from "@lucide/svelte/icons/file-text";
import Gauge from "@lucide/svelte/icons/gauge";
import Inbox from "@lucide/svelte/icons/inbox";
import KeyRound from "@lucide/svelte/icons/key-round";
import Layers from "@lucide/svelte/icons/layers";
import LayoutDashboard from "@lucide/svelte/icons/layout-dashboard";
import LayoutGrid from "@lucide/svelte/icons/layout-grid";
import Network from "@lucide/svelte/icons/network";
import Palette from "@lucide/svelte/icons/palette";
import Radio from "@lucide/svelte/icons/radio";
import ReceiptText from "@lucide/svelte/icons/receipt-text";
import ScrollText from "@lucide/svelte/icons/scroll-text";
import Send from "@lucide/svelte/icons/send";
import SlidersHorizontal from "@lucide/svelte/icons/sliders-horizontal";
import Sparkles from "@lucide/svelte/icons/sparkles";
import Users from "@lucide/svelte/icons/users";
import type { Component } from "svelte";
import { shellTexts as t } from "./texts/en/shell.ts";

interface NavigationPage {
  path: string;
  name: keyof typeof t.pageNames;
  Icon: Component<{ size?: number; class?: string; "aria-hidden"?: "true" }>;
  /** What one must be allowed to do, at one node at least. */
  action: Action;
  /** Within reach of a thumb on a phone; four have room there. */
  isMain?: true;
  /** After G, from the keyboard. */
  key?: string;
}

interface NavigationGroup {
  name: keyof typeof t.pageGroups;
  pages: readonly NavigationPage[];
}

const navigation: readonly NavigationGroup[] = [
  {
    name: "usage",
    pages: [
      { path: "/", name: "live", Icon: Radio, action: "read", isMain: true, key: "L" },
      { path: "/period", name: "thisPeriod", Icon: Gauge, action: "read", isMain: true, key: "P" },
      { path: "/usage", name: "usage", Icon: ChartColumn, action: "read", isMain: true, key: "U" },
      { path: "/dashboards", name: "dashboards", Icon: LayoutGrid, action: "read", key: "D" },
      { path: "/ingest", name: "ingest", Icon: Inbox, action: "read", key: "I" },
    ],
  },
  {
    name: "customers",
    pages: [
      { path: "/overview", name: "overview", Icon: LayoutDashboard, action: "read", isMain: true, key: "O" },
      { path: "/activity", name: "activity", Icon: Activity, action: "read" },
      { path: "/organizations", name: "organizations", Icon: Building, action: "read", key: "C" },
      { path: "/models", name: "customModels", Icon: Sparkles, action: "read" },
      { path: "/tree", name: "accountTree", Icon: Network, action: "read", key: "T" },
    ],
  },
  {
    name: "alerts",
    pages: [
      { path: "/alerts", name: "alerts", Icon: BellRing, action: "read", key: "A" },
      { path: "/rules", name: "rules", Icon: SlidersHorizontal, action: "read" },
      { path: "/channels", name: "channels", Icon: Send, action: "read" },
    ],
  },
  {
    name: "reports",
    pages: [
      { path: "/reports", name: "reports", Icon: FileText, action: "read", key: "R" },
      { path: "/schedules", name: "schedules", Icon: CalendarClock, action: "read" },
      { path: "/branding", name: "branding", Icon: Palette, action: "nodes:write" },
    ],
  },
  {
    name: "billing",
    pages: [
      { path: "/plans", name: "plans", Icon: Layers, action: "read" },
      { path: "/subscriptions", name: "subscriptions", Icon: CalendarSync, action: "read" },
      { path: "/statements", name: "statements", Icon: ReceiptText, action: "read", key: "S" },
      { path: "/what-if", name: "whatIf", Icon: Calculator, action: "prices:read" },
    ],
  },
  {
    name: "settings",
    pages: [
      { path: "/keys", name: "apiKeys", Icon: KeyRound, action: "keys:write" },
      { path: "/people", name: "people", Icon: Users, action: "users:write" },
      { path: "/audit", name: "audit", Icon: ScrollText, action: "audit:read" },
    ],
  },
];

/** Those that the caller may open somewhere, by group; a group without any is left out. */
export function pagesFor(may: (action: Action) => boolean) {
  return navigation
    .map(({ name, pages }) => ({
      label: t.pageGroups[name],
      pages: pages.filter(({ action }) => may(action)).map((page) => ({ ...page, label: t.pageNames[page.name] })),
    }))
    .filter(({ pages }) => pages.length > 0);
}

/** Pages below those, which change something. */
const forms: readonly Pick<NavigationPage, "path" | "action">[] = [
  { path: "/rules/new", action: "rules:write" },
  { path: "/reports/new", action: "reports:write" },
  { path: "/schedules/new", action: "reports:write" },
  { path: "/plans/new", action: "plans:write" },
  { path: "/subscriptions/new", action: "plans:write" },
];

/** What one must be allowed to do for the page at `pathname`. */
export function actionFor(pathname: string): Action {
  const pages = [...forms, ...navigation.flatMap((group) => group.pages)];
  return pages.find(({ path }) => isAt(pathname, path))?.action ?? "read";
}

/** Whether `pathname` is the page at `path` or one below it. */
export function isAt(pathname: string, path: string): boolean {
  return pathname === path || (path !== "/" && pathname.startsWith(`${path}/`));
}
