/** Loads the language that the page speaks, where it is not English, which comes with the pages themselves. */
import { speak, type Translate } from "./area.ts";
import { language } from "./locale.ts";

/** By tag. A language is one file more: `export const texts: Texts = …` and `translate`, which gives an area of it. */
const translations: Readonly<Record<string, () => Promise<{ translate: Translate }>>> = {
  "en-XA": () => import("./pseudo.ts"),
};

/** Resolves before anything may be shown. What cannot be loaded leaves English, which is better than no page. */
export async function speakLanguage(): Promise<void> {
  const load = translations[language.tag];
  if (!load) return;
  try {
    speak((await load()).translate);
  } catch {
    document.documentElement.lang = "en";
    document.documentElement.dir = "ltr";
  }
}
