/** What is wrong with a page as it stands: rules of accessibility, its width; and with everything that opens on it. */
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { comeToRest } from "./places.ts";

export const desk = { width: 1440, height: 900 };
export const phone = { width: 360, height: 780 };
export const wide = { width: 1920, height: 1080 };

export const looks = {
  light: { colorScheme: "light", forcedColors: "none" },
  dark: { colorScheme: "dark", forcedColors: "none" },
  forced: { colorScheme: "light", forcedColors: "active" },
} as const;
export type Look = keyof typeof looks;

/** Shows the page as it stands in the look, as a system does that changes to it. */
export async function changeLook(page: Page, look: Look): Promise<void> {
  await page.emulateMedia(looks[look]);
  await page.locator(`html[data-theme=${looks[look].colorScheme}]`).waitFor();
}

export class Findings {
  readonly #found = new Set<string>();
  /** Kinds of text whose contrast was looked at, on whichever page. */
  readonly colours = new Set<string>();
  looked = 0;

  note(where: string, what: string): void {
    const line = `${where}: ${what.split("\n")[0]}`;
    if (!this.#found.has(line)) console.error(line);
    this.#found.add(line);
  }

  /** A line each. */
  get all(): readonly string[] {
    return [...this.#found];
  }
}

/** What of a page is looked at; its width always is. */
interface Part {
  /** All of axe's, or those that can break where only colours differ. */
  rules?: "all" | "colours";
  /** Within what this selects: around it nothing has changed. */
  within?: string;
}

export async function inspect(page: Page, where: string, findings: Findings, part: Part = {}): Promise<void> {
  findings.looked++;
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) findings.note(where, `${wide} px wider than its window`);
  let broken = await brokenRules(page, part, findings.colours);
  if (broken.violations.length > 0) {
    // What was being asked anew meanwhile is drawn faintly for that moment.
    await comeToRest(page);
    broken = await brokenRules(page, part, findings.colours);
  }
  for (const kind of broken.colours) findings.colours.add(kind);
  for (const { id, nodes } of broken.violations) findings.note(where, `${id}: ${nodes[0]?.html} (${nodes.length})`);
}

const colourRules = ["color-contrast", "link-in-text-block"];
const colourMark = "data-inspected";

/** Of accessibility, as axe knows them; with the kinds of text whose colours were looked at. */
async function brokenRules(page: Page, { rules = "all", within }: Part, known: ReadonlySet<string>) {
  const violations = [];
  if (rules === "all") {
    const axe = await axeOf(page);
    axe.disableRules(colourRules);
    if (within !== undefined) axe.include(within);
    violations.push(...(await axe.analyze()).violations);
  }
  const colours = await markColours(page, within ?? "body", known);
  if (colours.length > 0) {
    const axe = await axeOf(page);
    violations.push(...(await axe.withRules(colourRules).include(`[${colourMark}]`).analyze()).violations);
  }
  return { violations, colours };
}

async function axeOf(page: Page): Promise<AxeBuilder> {
  // Half a megabyte of script, which stays as long as the page does.
  const isThere = await page.evaluate(() => "axe" in window);
  return new AxeBuilder(isThere ? { page, axeSource: "undefined" } : { page })
    .setLegacyMode()
    .options({ resultTypes: ["violations"] });
}

/**
 * Marks one text of each kind that is not known, and returns those kinds: a colour, size, weight and classes over the same
 * backgrounds. Contrast is the same for all of a kind, on each page and in each width, and takes axe longer than all its other
 * rules together: three quarters of the time of most pages, nine tenths for a list of fifty organizations.
 */
async function markColours(page: Page, within: string, known: ReadonlySet<string>): Promise<string[]> {
  const found = await page.evaluate(
    ([mark, selector]) => {
      const grounds = new Map<Element | null, string>();
      const kinds: string[] = [];
      for (const element of document.querySelectorAll("body, body *")) {
        element.removeAttribute(mark);
        const { color, fontSize, fontWeight, backgroundColor, backgroundImage, opacity } = getComputedStyle(element);
        const own = `${backgroundColor} ${backgroundImage} ${opacity}`;
        const below = grounds.get(element.parentElement) ?? "";
        const ground = own === "rgba(0, 0, 0, 0) none 1" ? below : `${below}|${own}`;
        grounds.set(element, ground);
        const texts = [...element.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE);
        const isText = element.matches("input, select, textarea") || texts.some((one) => one.textContent?.trim());
        if (!isText || element.closest(selector) === null || !element.checkVisibility()) continue;
        const isOff = element.closest(":disabled, [aria-disabled=true]") !== null;
        const classes = [element, element.parentElement].map((one) => one?.getAttribute("class"));
        const kind = [element.localName, color, fontSize, fontWeight, isOff, ...classes, ground].join("|");
        element.setAttribute(mark, String(kinds.length));
        kinds.push(kind);
      }
      return kinds;
    },
    [colourMark, within] as const,
  );
  const isForced = await page.evaluate(() => matchMedia("(forced-colors: active)").matches);
  const firsts = new Map<string, number>();
  for (const [nth, kind] of found.entries()) {
    const name = `${isForced}|${kind}`;
    if (!known.has(name) && !firsts.has(name)) firsts.set(name, nth);
  }
  await page.evaluate(
    ([mark, kept]) => {
      const isKept = new Set(kept.map(String));
      for (const marked of document.querySelectorAll(`[${mark}]`))
        if (!isKept.has(marked.getAttribute(mark) ?? "")) marked.removeAttribute(mark);
    },
    [colourMark, [...firsts.values()]] as const,
  );
  return [...firsts.keys()];
}

/** Beside the buttons that say that they open something: those that open a dialog about what they are called. None acts at once. */
const named = [
  "New organization",
  "Import",
  "New",
  "Add",
  "Add below",
  "Edit",
  "Share",
  "Invite",
  "Custom range",
  "Add a note",
  "Add a passkey",
  "New secret",
  "Dates",
  "Cancel subscription",
  "Change plan",
  "Publish draft",
  "Set status",
];
/** Of the one thing that a page is about; in lists such buttons act, and offer to undo it. */
const asking = ["Remove", "Delete"];
const labelled = ["Edit", "Rotate", "Revoke", "Delete", "Rename"];
const openersIn = (scope: "body" | "main") =>
  [
    `${scope} button[aria-haspopup=dialog]`,
    `${scope} button[aria-haspopup=menu]`,
    ...named.map((name) => `main button:text-is("${name}")`),
    ...asking.map((name) => `main button:text-is("${name}"):not(li *, td *)`),
    ...labelled.map((name) => `main button[aria-label^="${name} "]:not([data-testid=model-list] *)`),
  ].join(", ");

const panels = "[role=dialog], [role=menu], dialog[open]";
const opened = ":is([role=dialog], [role=menu]):visible, dialog[open]";
/** What opens nothing within it is no opener, whatever it is called. */
const opensWithinMs = 3_000;

/**
 * Opens what opens within `scope`, one by one, and looks at each; of many alike, such as a menu in each row, at the first. `known`:
 * the pickers and menus that were looked at on other pages, which are not opened again.
 */
export async function inspectOpened(
  page: Page,
  scope: "body" | "main",
  known: Set<string>,
  look: (label: string, panels: string) => Promise<void>,
): Promise<void> {
  const openers = openersIn(scope);
  const found = await page.locator(openers).evaluateAll((buttons) =>
    buttons.map((button) => {
      const label = (button.getAttribute("aria-label") ?? button.textContent ?? "").trim();
      // Two buttons of two rows begin alike.
      const kind = button.getAttribute("data-testid") ?? label.split(/\s+/)[0] ?? "";
      const isShown = button.getBoundingClientRect().width > 0 && !(button as HTMLButtonElement).disabled;
      return { kind, isShown, isPicker: button.hasAttribute("aria-haspopup") };
    }),
  );
  const address = page.url();
  const seen = new Set<string>();
  for (const [place, { kind, isShown, isPicker }] of found.entries()) {
    if (!isShown || seen.has(kind) || (isPicker && known.has(kind))) continue;
    (isPicker ? known : seen).add(kind);
    await page.locator(openers).nth(place).click();
    const panel = page.locator(opened).first();
    const isOpen = await panel.waitFor({ timeout: opensWithinMs }).then(
      () => true,
      () => false,
    );
    if (isOpen) {
      await comeToRest(page);
      await look(kind, panels);
      await page.keyboard.press("Escape");
      await panel.waitFor({ state: "hidden" });
    } else {
      await page.goto(address);
      await comeToRest(page);
    }
  }
}
