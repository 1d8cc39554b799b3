/** Lights an element up for a moment when what it shows has become something else; at first it only stands there. */
import type { Attachment } from "svelte/attachments";

const shown = new WeakMap<Element, unknown>();

/** Nothing moves for who wants little motion: `animation: none` holds in app.css. */
export function flashOn(value: unknown): Attachment<HTMLElement> {
  return (element) => {
    const hasChanged = shown.has(element) && shown.get(element) !== value;
    shown.set(element, value);
    if (!hasChanged) return;
    element.classList.remove("flash");
    // Begins anew where it is still running.
    void element.offsetWidth;
    element.classList.add("flash");
  };
}
