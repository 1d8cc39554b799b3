/** To be attached to what scrolls by itself: what is only seen by scrolling must be reached by keyboard too. */
export function reachable(scrolled: HTMLElement): void {
  scrolled.tabIndex = 0;
}
