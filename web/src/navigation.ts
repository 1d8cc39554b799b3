/** The pages that the navigation leads to, in groups. A page whose action the user has nowhere would answer nothing but refusals. */
import type { Action } from "@contract/accounts.ts";
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
import Network from "@lucide/svelte/icons/network";
import Radio from "@lucide/svelte/icons/radio";
import ReceiptText from "@lucide/svelte/icons/receipt-text";
import ScrollText from "@lucide/svelte/icons/scroll-text";
import Send from "@lucide/svelte/icons/send";
import SlidersHorizontal from "@lucide/svelte/icons/sliders-horizontal";
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
}

interface NavigationGroup {
  label: string;
  pages: readonly NavigationPage[];
}

export const navigation: readonly NavigationGroup[] = [
  {
    label: "Usage",
    pages: [
      { path: "/", label: "Live", Icon: Radio, action: "read", isMain: true },
      { path: "/period", label: "This period", Icon: Gauge, action: "read", isMain: true },
      { path: "/usage", label: "Usage", Icon: ChartColumn, action: "read", isMain: true },
      { path: "/ingest", label: "Ingest", Icon: Inbox, action: "read" },
    ],
  },
  {
    label: "Customers",
    pages: [
      { path: "/overview", label: "Overview", Icon: LayoutDashboard, action: "read", isMain: true },
      { path: "/organizations", label: "Organizations", Icon: Building, action: "read" },
      { path: "/tree", label: "Account tree", Icon: Network, action: "read" },
    ],
  },
  {
    label: "Alerts",
    pages: [
      { path: "/alerts", label: "Alerts", Icon: BellRing, action: "read" },
      { path: "/rules", label: "Rules", Icon: SlidersHorizontal, action: "read" },
      { path: "/channels", label: "Channels", Icon: Send, action: "read" },
    ],
  },
  {
    label: "Reports",
    pages: [
      { path: "/reports", label: "Reports", Icon: FileText, action: "read" },
      { path: "/schedules", label: "Schedules", Icon: CalendarClock, action: "read" },
    ],
  },
  {
    label: "Billing",
    pages: [
      { path: "/plans", label: "Plans", Icon: Layers, action: "read" },
      { path: "/subscriptions", label: "Subscriptions", Icon: CalendarSync, action: "read" },
      { path: "/statements", label: "Statements", Icon: ReceiptText, action: "read" },
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
