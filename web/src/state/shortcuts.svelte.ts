/** Single-key shortcuts. They stay out of the way of typing, of the browser's own, and of the screen reader's, and can be switched off. */

import { StoredSwitch } from "./stored-switch.svelte.ts";

class Shortcuts extends StoredSwitch {
  /** The overview of all of them is shown. */
  isSheetOpen = $state(false);
}

export const shortcuts = new Shortcuts("tidemark-shortcuts", true);

/** True when a key press is meant for the page, not for a field, a dialog or a combination with a modifier. */
export function isShortcut(event: KeyboardEvent): boolean {
  if (!shortcuts.isOn || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat)
    return false;
  const target = event.target;
  if (!(target instanceof HTMLElement)) return true;
  if (target.isContentEditable || target.closest("[role='dialog'], [role='menu'], input, textarea, select"))
    return false;
  // Space presses a focused button or link; taking it away would break the keyboard.
  return !(event.key === " " && target.closest("button, a, summary, [role='button'], [tabindex]"));
}

/** Ctrl+K, and ⌘K on a Mac; a modifier cannot be pressed by accident, so this one is always on. */
export function opensPalette(event: KeyboardEvent): boolean {
  return (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k";
}

/** How this machine's keyboard writes it. */
export const paletteKeys = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘K" : "Ctrl K";
