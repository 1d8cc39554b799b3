/** Walking the rows of a page's lists and tables by keyboard. */

const rows = "main ul > li, main tbody > tr";

/** The first link or button of each row that is seen, in the order of the page. */
function stops(): HTMLElement[] {
  const found = new Set<HTMLElement>();
  for (const row of document.querySelectorAll(rows)) {
    const stop = row.querySelector<HTMLElement>("a[href], button:not(:disabled)");
    if (stop?.checkVisibility({ visibilityProperty: true })) found.add(stop);
  }
  return [...found];
}

/** Moves the focus to the row after (`by` 1) or before (-1) the one it is in; into the first or the last from elsewhere. */
export function focusRow(by: 1 | -1): void {
  const all = stops();
  const focused = document.activeElement;
  const row = focused?.closest(rows);
  const here = all.findIndex((stop) => stop === focused || (row?.contains(stop) ?? false));
  const next = here < 0 ? all.at(by > 0 ? 0 : -1) : all[here + by];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
