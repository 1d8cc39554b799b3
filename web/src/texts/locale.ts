/**
 * Which language the dashboard speaks. It is settled once, when the page loads, so that whatever is formatted or said while
 * modules start is in that language too; another choice holds from the next load.
 */

export interface Language {
  /** BCP 47, for `<html lang>`. */
  readonly tag: string;
  /** As its speakers call it. */
  readonly name: string;
  readonly dir: "ltr" | "rtl";
  /** For `Intl`: numbers and lists, and dates with times. */
  readonly numbers: string;
  readonly dates: string;
}

const english: Language = { tag: "en", name: "English", dir: "ltr", numbers: "en", dates: "en-GB" };

/** Those that people may choose. */
const languages: readonly Language[] = [english];

/** English made longer and foreign, for whoever tests that texts come from the catalogue and have room; chosen by its tag alone. */
const pseudo: Language = { ...english, tag: "en-XA", name: "Pseudo-English" };

const storageKey = "tidemark-language";

/** The language with the tag that was chosen, else the first that the browser prefers and that there is, else English. */
export function languageFor(
  chosen: string | null,
  preferred: readonly string[],
  known: readonly Language[] = languages,
): Language {
  const own = [...known, pseudo].find(({ tag }) => tag === chosen);
  if (own) return own;
  const primary = (tag: string) => tag.toLowerCase().split("-")[0];
  for (const wanted of preferred) {
    const found =
      known.find(({ tag }) => tag.toLowerCase() === wanted.toLowerCase()) ??
      known.find(({ tag }) => primary(tag) === primary(wanted));
    if (found) return found;
  }
  return english;
}

/** What was chosen in this browser; null where it speaks as the browser prefers, or storage is denied. */
export function chosenLanguage(): string | null {
  try {
    return localStorage.getItem(storageKey);
  } catch {
    return null;
  }
}

/** Null: as the browser prefers. Loads the page anew, since all that stands on it was said already. */
export function chooseLanguage(tag: string | null): void {
  try {
    if (tag === null) localStorage.removeItem(storageKey);
    else localStorage.setItem(storageKey, tag);
  } catch {
    // Storage may be denied; the page then speaks as the browser prefers.
  }
  location.reload();
}

const isBrowser = typeof document !== "undefined";

export const language = isBrowser ? languageFor(chosenLanguage(), navigator.languages) : english;

/** Those to choose from; the present one among them, whatever it is. */
export const offeredLanguages = languages.includes(language) ? languages : [...languages, language];

if (isBrowser) {
  document.documentElement.lang = language.tag;
  document.documentElement.dir = language.dir;
}
