/** The figures that a page shows, as a person reads them, beside the exact value that each carries. */
import type { Page } from "playwright-core";
import { plain, rounded } from "./decimals.ts";

export interface ShownFigure {
  /** The nearest part of the page that has a name. */
  where: string;
  text: string;
  /** With all digits, from an attribute or a title; undefined where the figure has none. */
  exact: string | undefined;
}

/** In the order of the page; what is not drawn, such as a table of wide windows on a phone, is not shown. */
export async function shownFigures(page: Page, within = "main"): Promise<ShownFigure[]> {
  const found = await page
    .locator(within)
    .first()
    .evaluate((root) => {
      const selector = "[data-figure], [data-value], [data-figures], [title]";
      return [...root.querySelectorAll<HTMLElement>(selector)]
        .filter((element) => element.checkVisibility())
        .map((element) => {
          const named = element.closest<HTMLElement>("[data-testid]")?.dataset.testid;
          const section = element.closest("section")?.querySelector("h2, h3")?.textContent?.trim();
          const { figure, value } = element.dataset;
          return {
            where: named ?? section ?? "page",
            text: (element.textContent ?? "").replace(/\s+/g, " ").trim(),
            given: figure ?? value,
            title: element.title,
            hasFigures: element.dataset.figures !== undefined || figure !== undefined,
            isWithin:
              element.querySelector("[title], [data-figure], [data-value]") !== null ||
              element.parentElement?.closest("[data-figure], [data-value], [title]") !== null,
          };
        });
    });
  return found.flatMap(({ where, text, given, title, hasFigures, isWithin }): ShownFigure[] => {
    const own = given === undefined ? undefined : plain(given);
    const exact = own ?? (isMoment(title) ? undefined : numberAtStart(title));
    if (exact !== undefined) return [{ where, text, exact }];
    return hasFigures && !isWithin ? [{ where, text, exact: undefined }] : [];
  });
}

const isMoment = (text: string) => /^\d{1,2} [A-Z][a-z]{2,8}\b|^\d{4}-\d\d-\d\d|^\d{1,2}:\d\d/.test(text);

/** `1234.567891` of `1,234.567891 minutes (20 h 34 min)`. */
export function numberAtStart(text: string): string | undefined {
  const number = /^[-−]?\d[\d,]*(?:\.\d+)?/.exec(text.trim())?.[0];
  return number && plain(number.replaceAll(",", "").replace("−", "-"));
}

/** Is the figure that stands there the exact one, with fewer digits? A text without a number says it in words. */
export function isRoundingOf(text: string, exact: string): boolean {
  const [, number, suffix = ""] = /^([-−+]?\d[\d,]*(?:\.\d+)?)\s?([KMBT]\b)?/.exec(text) ?? [];
  if (number === undefined) return true;
  const decimals = number.split(".")[1]?.length ?? 0;
  const digits = number.replaceAll(",", "").replace("−", "-").replace("+", "");
  const power = { "": 0, K: 3, M: 6, B: 9, T: 12 }[suffix] ?? 0;
  if (power === 0) return rounded(exact, decimals) === plain(digits);
  return Math.abs(Number(exact) / 10 ** power - Number(digits)) <= 0.5 / 10 ** decimals + 1e-9;
}

/** Amounts with decimals that stand without their exact value: `12.5` of `12.5 minutes, highest 13`; no clock, size or share. */
export function amountsIn(text: string): string[] {
  const amounts = text.matchAll(/(?<![\d.,:])([-−]?\d[\d,]*\.\d+)(?![\d.,:]|\s?(?:%|s\b|ms\b|[kKMGT]?i?B\b|[KMB]\b))/g);
  return [...amounts].map(([, number = ""]) => number.replaceAll(",", "").replace("−", "-"));
}
