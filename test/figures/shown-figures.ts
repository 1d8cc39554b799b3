/** The figures that a page shows, as a person reads them, beside the exact value that each carries. */
import type { Page } from "playwright-core";
import { cut, plain, rounded } from "./decimals.ts";

export interface ShownFigure {
  /** The nearest part of the page that has a name. */
  where: string;
  text: string;
  /** With all digits, from an attribute or a title; undefined where the figure has none. */
  exact: string | undefined;
  /** What is said of it on demand. */
  title: string;
}

/**
 * First those that carry their exact value, then the texts with decimals that stand around without. What is not drawn, such as a
 * table of wide windows on a phone, is not shown.
 */
export async function shownFigures(page: Page): Promise<ShownFigure[]> {
  const { carrying, loose } = await page.locator("main").evaluate((root) => {
    const exacts = "[data-figure], [data-value], [title]";
    const texts = new Set<HTMLElement>();
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const parent = node.parentElement;
      if (!parent?.checkVisibility() || !/\d\.\d/.test(node.textContent ?? "")) continue;
      // What is written as code is a document of its own.
      if (!parent.closest("[data-figure], [data-value], pre, code, svg, option")) texts.add(parent);
    }
    const carrying = [...root.querySelectorAll<HTMLElement>(exacts)].filter((one) => one.checkVisibility());
    // A function with a name does not cross into the page.
    const [first = [], second = []] = [carrying, [...texts]].map((elements) =>
      elements.map((element) => ({
        where:
          element.closest("figcaption")?.localName ??
          element.closest<HTMLElement>("[data-testid]")?.dataset.testid ??
          element.closest("section")?.querySelector("h2, h3")?.textContent?.trim() ??
          "page",
        text: (element.textContent ?? "").replace(/\s+/g, " ").trim(),
        given: element.dataset.figure ?? element.dataset.value,
        title: element.closest<HTMLElement>("[title]")?.title ?? "",
      })),
    );
    return { carrying: first, loose: second };
  });
  const exact = carrying.flatMap(({ where, text, given, title }): ShownFigure[] => {
    const own = given === undefined ? undefined : plain(given);
    const value = own ?? (isMoment(title) ? undefined : numberAtStart(title));
    return value === undefined ? [] : [{ where, text, exact: value, title }];
  });
  const others = loose.filter(({ title }) => isMoment(title) || numberAtStart(title) === undefined);
  return [...exact, ...others.map(({ where, text, title }) => ({ where, text, exact: undefined, title }))];
}

const isMoment = (text: string) => /^\d{1,2} [A-Z][a-z]{2,8}\b|^\d{4}-\d\d-\d\d|^\d{1,2}:\d\d/.test(text);

/** `1234.567891` of `1,234.567891 minutes (20 h 34 min)`. */
export function numberAtStart(text: string): string | undefined {
  const number = /^[-−]?\d[\d,]*(?:\.\d+)?/.exec(text.trim())?.[0];
  return number && plain(number.replaceAll(",", "").replace("−", "-"));
}

/**
 * Is the figure that stands there the exact one, with fewer digits? A percentage is cut off, so that only what has reached 100
 * says so. A text without a number says it in words.
 */
export function isRoundingOf(text: string, exact: string): boolean {
  const [, number, suffix = ""] = /^([-−+]?\d[\d,]*(?:\.\d+)?)\s?([KMBT]\b|%)?/.exec(text) ?? [];
  if (number === undefined) return true;
  const decimals = number.split(".")[1]?.length ?? 0;
  const digits = number.replaceAll(",", "").replace("−", "-").replace("+", "");
  if (suffix === "%") return cut(exact, decimals) === plain(digits);
  const power = { "": 0, K: 3, M: 6, B: 9, T: 12 }[suffix] ?? 0;
  if (power === 0) return rounded(exact, decimals) === plain(digits);
  return Math.abs(Number(exact) / 10 ** power - Number(digits)) <= 0.5 / 10 ** decimals + 1e-9;
}

/** Amounts with decimals that stand without their exact value: `12.5` of `12.5 minutes, highest 13`; no clock, size or share. */
export function amountsIn(text: string): string[] {
  const amounts = text.matchAll(/(?<![\d.,:])([-−]?\d[\d,]*\.\d+)(?![\d.,:]|\s?(?:%|s\b|ms\b|[kKMGT]?i?B\b|[KMB]\b))/g);
  return [...amounts].map(([, number = ""]) => number.replaceAll(",", "").replace("−", "-"));
}
