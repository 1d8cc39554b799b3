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

interface NavigationPage {
  path: string;
  label: string;
  Icon: Component<{ size?: number; class?: string; "aria-hidden"?: "true" }>;
  /** What one must be allowed to do, at one node at least. */
  action: Action;
  /** Within reach of a thumb on a phone; four have room there. */
  isMain?: true;
  /** After G, from the keyboard. */
  key?: string;
}

interface NavigationGroup {
  label: string;
  pages: readonly NavigationPage[];
}

const navigation: readonly NavigationGroup[] = [
  {
    label: "Usage",
    pages: [
      { path: "/", label: "Live", Icon: Radio, action: "read", isMain: true, key: "L" },
      { path: "/period", label: "This period", Icon: Gauge, action: "read", isMain: true, key: "P" },
      { path: "/usage", label: "Usage", Icon: ChartColumn, action: "read", isMain: true, key: "U" },
      { path: "/dashboards", label: "Dashboards", Icon: LayoutGrid, action: "read", key: "D" },
      { path: "/ingest", label: "Ingest", Icon: Inbox, action: "read", key: "I" },
    ],
  },
  {
    label: "Customers",
    pages: [
      { path: "/overview", label: "Overview", Icon: LayoutDashboard, action: "read", isMain: true, key: "O" },
      { path: "/activity", label: "Activity", Icon: Activity, action: "read" },
      { path: "/organizations", label: "Organizations", Icon: Building, action: "read", key: "C" },
      { path: "/models", label: "Custom models", Icon: Sparkles, action: "read" },
      { path: "/tree", label: "Account tree", Icon: Network, action: "read", key: "T" },
    ],
  },
  {
    label: "Alerts",
    pages: [
      { path: "/alerts", label: "Alerts", Icon: BellRing, action: "read", key: "A" },
      { path: "/rules", label: "Rules", Icon: SlidersHorizontal, action: "read" },
      { path: "/channels", label: "Channels", Icon: Send, action: "read" },
    ],
  },
  {
    label: "Reports",
    pages: [
      { path: "/reports", label: "Reports", Icon: FileText, action: "read", key: "R" },
      { path: "/schedules", label: "Schedules", Icon: CalendarClock, action: "read" },
      { path: "/branding", label: "Branding", Icon: Palette, action: "nodes:write" },
    ],
  },
  {
    label: "Billing",
    pages: [
      { path: "/plans", label: "Plans", Icon: Layers, action: "read" },
      { path: "/subscriptions", label: "Subscriptions", Icon: CalendarSync, action: "read" },
      { path: "/statements", label: "Statements", Icon: ReceiptText, action: "read", key: "S" },
      { path: "/what-if", label: "What if", Icon: Calculator, action: "prices:read" },
    ],
  },
  {
    label: "Settings",
    pages: [
      { path: "/keys", label: "API keys", Icon: KeyRound, action: "keys:write" },
      { path: "/people", label: "People", Icon: Users, action: "users:write" },
      { path: "/audit", label: "Audit", Icon: ScrollText, action: "audit:read" },
    ],
  },
];

/** Those that the caller may open somewhere, by group; a group without any is left out. */
export function pagesFor(may: (action: Action) => boolean): NavigationGroup[] {
  return navigation
    .map(({ label, pages }) => ({ label, pages: pages.filter(({ action }) => may(action)) }))
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
