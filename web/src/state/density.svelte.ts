/** How close rows of tables and lists stand. theme.js applies the same choice before the first paint. */

const storageKey = "tidemark-density";

class Density {
  /** Kept in this browser. */
  isCompact = $state(storedChoice());

  choose(isCompact: boolean): void {
    this.isCompact = isCompact;
    try {
      if (isCompact) localStorage.setItem(storageKey, "compact");
      else localStorage.removeItem(storageKey);
    } catch {
      // Storage may be denied; the choice then lasts as long as the page.
    }
    document.documentElement.dataset.density = isCompact ? "compact" : "roomy";
  }
}

function storedChoice(): boolean {
  try {
    return localStorage.getItem(storageKey) === "compact";
  } catch {
    return false;
  }
}

export const density = new Density();
