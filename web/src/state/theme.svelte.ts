/** The theme: light, dark, or as the system has it. theme.js applies the same choice before the first paint. */

import { flushSync } from "svelte";

type ThemeChoice = "light" | "dark" | "system";

const storageKey = "tidemark-theme";
const systemDark = matchMedia("(prefers-color-scheme: dark)");

class Theme {
  choice = $state<ThemeChoice>(storedChoice());
  #isSystemDark = $state(systemDark.matches);
  /** Paper is light, whatever the screen is. */
  isPrinting = $state(false);
  readonly isDark = $derived(
    !this.isPrinting && (this.choice === "dark" || (this.choice === "system" && this.#isSystemDark)),
  );

  constructor() {
    systemDark.addEventListener("change", ({ matches }) => {
      this.#isSystemDark = matches;
      this.#apply();
    });
    addEventListener("beforeprint", () => this.#print(true));
    addEventListener("afterprint", () => this.#print(false));
  }

  choose(choice: ThemeChoice): void {
    this.wear(choice);
    try {
      localStorage.setItem(storageKey, choice);
    } catch {
      // Storage may be denied; the choice then lasts as long as the page.
    }
  }

  /** For this page alone, as long as it is open. */
  wear(choice: ThemeChoice): void {
    this.choice = choice;
    this.#apply();
  }

  #print(isPrinting: boolean): void {
    this.isPrinting = isPrinting;
    this.#apply();
    // The browser takes the picture as soon as this returns: charts are drawn anew before.
    flushSync();
  }

  #apply(): void {
    document.documentElement.dataset.theme = this.isDark ? "dark" : "light";
  }
}

function storedChoice(): ThemeChoice {
  try {
    const stored = localStorage.getItem(storageKey);
    return stored === "light" || stored === "dark" ? stored : "system";
  } catch {
    return "system";
  }
}

export const theme = new Theme();
