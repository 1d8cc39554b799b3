/** What the command palette offers: pages, what can be done from anywhere, nodes and meters, as far as the caller may. */

import type { Action } from "@contract/accounts.ts";
import type { Node } from "@contract/nodes.ts";
import Building from "@lucide/svelte/icons/building-2";
import ChartColumn from "@lucide/svelte/icons/chart-column";
import CircleUser from "@lucide/svelte/icons/circle-user";
import Keyboard from "@lucide/svelte/icons/keyboard";
import Link from "@lucide/svelte/icons/link";
import LogOut from "@lucide/svelte/icons/log-out";
import Monitor from "@lucide/svelte/icons/monitor";
import Moon from "@lucide/svelte/icons/moon";
import Plus from "@lucide/svelte/icons/plus";
import Rows4 from "@lucide/svelte/icons/rows-4";
import Sun from "@lucide/svelte/icons/sun";
import { computeCommandScore } from "bits-ui";
import type { Component } from "svelte";
import { pagesFor } from "../../navigation.ts";
import { goTo } from "../../router.ts";
import { copyText } from "../../state/copy-text.ts";
import { density } from "../../state/density.svelte.ts";
import { knownMeters } from "../../state/directory.svelte.ts";
import { session } from "../../state/session.svelte.ts";
import { shortcuts } from "../../state/shortcuts.svelte.ts";
import { theme } from "../../state/theme.svelte.ts";
import { toasts } from "../../state/toasts.svelte.ts";
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
  const pages = pagesFor((action) => session.may(action)).flatMap(({ label: group, pages: inGroup }) =>
    inGroup.map(({ path, label, Icon }) => ({ id: `page ${path}`, label, note: group, Icon, run: () => goTo(path) })),
  );
  const account = { id: "page /account", label: "Your account", words: ["password", "passkey", "sessions"] };
  return [...pages, { ...account, Icon: CircleUser, run: () => goTo("/account") }];
}

const made: readonly { label: string; words: readonly string[]; path: string; action: Action }[] = [
  {
    label: "New organization",
    words: ["create customer"],
    path: "/organizations?new=organization",
    action: "nodes:write",
  },
  { label: "New subscription", words: ["create plan customer"], path: "/subscriptions/new", action: "plans:write" },
  { label: "New plan", words: ["create price"], path: "/plans/new", action: "plans:write" },
  { label: "New alert rule", words: ["create threshold quota"], path: "/rules/new", action: "rules:write" },
  { label: "New report", words: ["create export"], path: "/reports/new", action: "reports:write" },
  { label: "New schedule", words: ["create report mail"], path: "/schedules/new", action: "reports:write" },
  { label: "Invite a person", words: ["add user people"], path: "/people", action: "users:write" },
  { label: "Create an API key", words: ["new token"], path: "/keys", action: "keys:write" },
];

export function actionEntries(): PaletteEntry[] {
  const forms = made
    .filter(({ action }) => session.may(action))
    .map(({ label, words, path }) => ({ id: `new ${label}`, label, words, Icon: Plus, run: () => goTo(path) }));
  const copyLink = async () => {
    const isCopied = await copyText(location.href);
    toasts.say(isCopied ? "Link copied." : "Your browser blocked copying. Copy the link from the address bar.");
  };
  return [
    ...forms,
    { id: "copy", label: "Copy the link to this page", words: ["share url address"], Icon: Link, run: copyLink },
    { id: "light", label: "Light theme", words: ["appearance"], Icon: Sun, run: () => theme.choose("light") },
    { id: "dark", label: "Dark theme", words: ["appearance night"], Icon: Moon, run: () => theme.choose("dark") },
    { id: "system", label: "System theme", words: ["appearance"], Icon: Monitor, run: () => theme.choose("system") },
    {
      id: "density",
      label: density.isCompact ? "Roomy rows" : "Compact rows",
      words: ["density appearance"],
      Icon: Rows4,
      run: () => density.choose(!density.isCompact),
    },
    {
      id: "shortcuts",
      label: "Keyboard shortcuts",
      note: "?",
      Icon: Keyboard,
      run: () => (shortcuts.isSheetOpen = true),
    },
    { id: "out", label: "Sign out", words: ["log out leave"], Icon: LogOut, run: signOut },
  ];
}

function signOut(): void {
  session.signOut().catch(() => toasts.say("Signing out failed: try again."));
}

/** Each leads to its page. */
export function nodeEntry({ node, name, kind }: Node): PaletteEntry {
  return { id: `node ${node}`, label: name, note: kind, Icon: Building, run: () => goTo(pageOf(node)) };
}

/** Each leads to its figures. */
export function meterEntries(): PaletteEntry[] {
  return (knownMeters.value ?? []).map(({ meter, title }) => ({
    id: `meter ${meter}`,
    label: title,
    note: "usage",
    words: [meter],
    Icon: ChartColumn,
    run: () => goTo(`/usage?${new URLSearchParams({ meters: meter })}`),
  }));
}
