/** Single-key shortcuts. They stay out of the way of typing, of the browser's own, and of the screen reader's. */

/** True when a key press is meant for the page, not for a field, a dialog or a combination with a modifier. */
export function isShortcut(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return false;
  const target = event.target;
  if (!(target instanceof HTMLElement)) return true;
  if (target.isContentEditable || target.closest("[role='dialog'], [role='menu'], input, textarea, select"))
    return false;
  // Space presses a focused button or link; taking it away would break the keyboard.
  return !(event.key === " " && target.closest("button, a, summary, [role='button'], [tabindex]"));
}
