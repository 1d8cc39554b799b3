/** The looks that an embedding page has chosen, for this page as long as it is open: nothing of it is kept. */
import type { EmbedTheme } from "@contract/view-links.ts";
import { theme } from "../state/theme.svelte.ts";
import { visibleAccent } from "./accent.ts";

export function wearTheme({ mode, accent }: EmbedTheme): void {
  theme.wear(mode);
  const { style } = document.documentElement;
  const tokens = ["--accent", "--series-1"];
  for (const token of tokens) style.removeProperty(token);
  if (accent === undefined) return;
  const colors = getComputedStyle(document.documentElement);
  const colorOf = (token: string) => colors.getPropertyValue(token).trim();
  const visible = visibleAccent(accent, colorOf("--surface"), colorOf("--ink"));
  for (const token of tokens) style.setProperty(token, visible);
}
