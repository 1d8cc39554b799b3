/** What the command palette offers: pages, what can be done from anywhere, nodes and meters, as far as the caller may. */

import type { Action } from "@contract/accounts.ts";
import type { LiveRoom } from "@contract/live.ts";
import { nodeAddress } from "@contract/node-address.ts";
import type { Node } from "@contract/nodes.ts";
import type { SessionSummary } from "@contract/sessions.ts";
import type { View } from "@contract/views.ts";
import Bookmark from "@lucide/svelte/icons/bookmark";
import Building from "@lucide/svelte/icons/building-2";
import ChartColumn from "@lucide/svelte/icons/chart-column";
import CircleUser from "@lucide/svelte/icons/circle-user";
import Clock from "@lucide/svelte/icons/clock";
import Download from "@lucide/svelte/icons/download";
import History from "@lucide/svelte/icons/history";
import Keyboard from "@lucide/svelte/icons/keyboard";
import LayoutDashboard from "@lucide/svelte/icons/layout-dashboard";
import Link from "@lucide/svelte/icons/link";
import LogOut from "@lucide/svelte/icons/log-out";
import Monitor from "@lucide/svelte/icons/monitor";
import Moon from "@lucide/svelte/icons/moon";
import Pin from "@lucide/svelte/icons/pin";
import Plus from "@lucide/svelte/icons/plus";
import Radio from "@lucide/svelte/icons/radio";
import Rows4 from "@lucide/svelte/icons/rows-4";
import Sun from "@lucide/svelte/icons/sun";
import { computeCommandScore } from "bits-ui";
import type { Component } from "svelte";
import { pagesFor } from "../../navigation.ts";
import { goTo } from "../../router.ts";
import { auth } from "../../state/auth.svelte.ts";
import { copyText } from "../../state/copying.svelte.ts";
import { density } from "../../state/density.svelte.ts";
import { knownMeters } from "../../state/directory.svelte.ts";
import { nodeName } from "../../state/node-names.svelte.ts";
import { pins } from "../../state/pins.svelte.ts";
import { shortcuts } from "../../state/shortcuts.svelte.ts";
import { theme } from "../../state/theme.svelte.ts";
import { toasts } from "../../state/toasts.svelte.ts";
import { browserZone } from "../../state/zone.ts";
import { paletteTexts as t } from "../../texts/en/palette.ts";
import { withQuery } from "../../with-query.ts";
import { formatMoment } from "../../words/format.ts";
import { pageOf } from "../../words/nodes.ts";

export interface PaletteEntry {
  id: string;
  label: string;
  /** Beside it, in small. */
  note?: string;
  /** Other words that mean it. */
  words?: readonly string[];
  Icon: Component<{ size?: number; class?: string; "aria-hidden"?: "true" }>;
  run: () => void;
}

/** Those that hold each word typed, the best first; all of them in their own order where nothing is typed. */
export function bestOf(entries: readonly PaletteEntry[], typed: string): PaletteEntry[] {
  const text = typed.trim().toLowerCase();
  if (text === "") return [...entries];
  const parts = text.split(/\s+/);
  const holds = ({ label, words = [] }: PaletteEntry) => {
    const all = [label, ...words].join(" ").toLowerCase();
    return parts.every((part) => all.includes(part));
  };
  const scoreOf = ({ label, words = [] }: PaletteEntry) => computeCommandScore(label, text, [...words]);
  return entries.filter(holds).sort((a, b) => scoreOf(b) - scoreOf(a));
}

export function pageEntries(): PaletteEntry[] {
  const pages = pagesFor((action) => auth.may(action)).flatMap(({ label: group, pages: inGroup }) =>
    inGroup.map(({ path, label, Icon }) => ({ id: `page ${path}`, label, note: group, Icon, run: () => goTo(path) })),
  );
  const account = { id: "page /account", label: t.yourAccount, words: [t.password, t.passkey, t.sessions] };
  return [...pages, { ...account, Icon: CircleUser, run: () => goTo("/account") }];
}

/** What can be made, and the words that mean it too. */
const made: readonly { what: keyof typeof t.made; path: string; action: Action }[] = [
  { what: "organization", path: "/organizations?new=organization", action: "nodes:write" },
  { what: "subscription", path: "/subscriptions/new", action: "plans:write" },
  { what: "plan", path: "/plans/new", action: "plans:write" },
  { what: "rule", path: "/rules/new", action: "rules:write" },
  { what: "report", path: "/reports/new", action: "reports:write" },
  { what: "schedule", path: "/schedules/new", action: "reports:write" },
  { what: "person", path: "/people", action: "users:write" },
  { what: "key", path: "/keys", action: "keys:write" },
];

export function actionEntries(): PaletteEntry[] {
  const forms = made
    .filter(({ action }) => auth.may(action))
    .map(({ what, path }) => {
      const { label, words } = t.made[what];
      return { id: `new ${what}`, label, words: [words], Icon: Plus, run: () => goTo(path) };
    });
  const copyLink = async () => {
    const isCopied = await copyText(location.href);
    toasts.say(isCopied ? t.linkCopied : t.copyingWasBlocked);
  };
  return [
    ...forms,
    ...zoneEntries(),
    ...exportEntries(),
    { id: "copy", label: t.copyLinkToThisPage, words: [t.shareUrlAddress], Icon: Link, run: copyLink },
    { id: "light", label: t.lightTheme, words: [t.appearance], Icon: Sun, run: () => theme.choose("light") },
    { id: "dark", label: t.darkTheme, words: [t.appearanceNight], Icon: Moon, run: () => theme.choose("dark") },
    { id: "system", label: t.systemTheme, words: [t.appearance], Icon: Monitor, run: () => theme.choose("system") },
    {
      id: "density",
      label: density.isCompact ? t.roomyRows : t.compactRows,
      words: [t.densityAppearance],
      Icon: Rows4,
      run: () => density.choose(!density.isCompact),
    },
    {
      id: "shortcuts",
      label: t.keyboardShortcuts,
      note: "?",
      Icon: Keyboard,
      run: () => (shortcuts.isSheetOpen = true),
    },
    { id: "out", label: t.signOut, words: [t.logOutLeave], Icon: LogOut, run: signOut },
  ];
}

function signOut(): void {
  auth.signOut().catch(() => toasts.say(t.signingOutFailedTryAgain));
}

/** Each leads to its page. */
export function nodeEntry({ node, name, kind }: Node): PaletteEntry {
  return { id: `node ${node}`, label: name, note: kind, Icon: Building, run: () => goTo(pageOf(node)) };
}

/** By the digits that lead to them too. */
export function pinnedEntries(): PaletteEntry[] {
  return pins.items.map((node, place) => ({
    id: `pinned ${node}`,
    label: nodeName(node),
    note: String(place + 1),
    Icon: Pin,
    run: () => goTo(pageOf(node)),
  }));
}

/** What its people made of usage, by name. */
export function viewEntries(views: readonly View[]): PaletteEntry[] {
  return views.map(({ id, name, query, panels }) => ({
    id: `view ${id}`,
    label: name,
    note: panels ? t.dashboard : t.savedView,
    Icon: panels ? LayoutDashboard : Bookmark,
    run: () => goTo(panels ? `/dashboards/${id}` : `/usage?${query}`),
  }));
}

/** Where the page lets its zone be chosen, the same choice. */
function zoneEntries(): PaletteEntry[] {
  const zones = document.querySelectorAll<HTMLButtonElement>("[data-testid=zone-picker] button");
  return [...zones].map((zone) => ({
    id: `zone ${zone.title}`,
    label: t.timesIn(zone.title),
    Icon: Clock,
    run: () => zone.click(),
  }));
}

/** What the page gives as a file: the same choice of forms. */
function exportEntries(): PaletteEntry[] {
  const buttons = document.querySelectorAll<HTMLButtonElement>("main [data-testid=export]");
  return [...buttons].map((button, place) => ({
    id: `export ${place}`,
    // Without the dates that its file is called by: they stand on the page.
    label: (button.textContent ?? "")
      .replaceAll(/\s+/g, " ")
      .replace(/(?: \d+)+\s*$/, "")
      .trim(),
    words: [t.exportForms],
    Icon: Download,
    // The palette gives the focus back first.
    run: () => setTimeout(() => button.click()),
  }));
}

/** The rooms where somebody is now; each leads to what is going on in it. */
export function roomEntries(rooms: readonly LiveRoom[]): PaletteEntry[] {
  return rooms.map(({ organization, session, room }) => ({
    id: `room ${organization} ${session}`,
    label: room || session,
    note: nodeName(nodeAddress("organization", organization)),
    words: [organization, t.room],
    Icon: Radio,
    run: () => goTo(`/sessions/${encodeURIComponent(organization)}/${encodeURIComponent(session)}`),
  }));
}

/** Rooms whose people have gone, each by its newest session, to which it leads. `sessions`: the newest first. */
export function pastRoomEntries(sessions: readonly SessionSummary[]): PaletteEntry[] {
  const newest = new Map<string, SessionSummary>();
  for (const one of sessions) {
    const key = `${one.organization} ${one.room}`;
    if (one.state === "ended" && !newest.has(key)) newest.set(key, one);
  }
  return [...newest.values()].map(({ organization, session, room, started_at: startedAt }) => ({
    id: `past room ${organization} ${session}`,
    label: room || session,
    note: [
      nodeName(nodeAddress("organization", organization)),
      startedAt === null ? "" : formatMoment(startedAt, browserZone),
    ]
      .filter((part) => part !== "")
      .join(", "),
    Icon: History,
    run: () => goTo(`/sessions/${encodeURIComponent(organization)}/${encodeURIComponent(session)}`),
  }));
}

/** Each leads to its figures. */
export function meterEntries(): PaletteEntry[] {
  return (knownMeters.value ?? []).map(({ meter, title }) => ({
    id: `meter ${meter}`,
    label: title,
    note: t.usageInSentence,
    words: [meter],
    Icon: ChartColumn,
    run: () => goTo(withQuery("/usage", { meters: meter })),
  }));
}
