/** What stands on a page, held beside what the API gave it: cell by cell where a cell has a name, else figure by figure. */
import type { Page } from "playwright-core";
import type { Period } from "../../server/contract/quotas.ts";
import type { UsageAnswer } from "../../server/contract/usage.ts";
import type { Compared } from "./compared.ts";
import { plain } from "./decimals.ts";
import type { RecordedAnswer, RecordedAnswers } from "./recorded-answers.ts";
import { amountsIn, isRoundingOf, numberAtStart, shownFigures } from "./shown-figures.ts";

export async function comparePage(page: Page, place: string, answers: RecordedAnswers, compared: Compared) {
  const numbers = await answers.numbers();
  const all = await answers.all();
  const texts = all.map(({ body }) => JSON.stringify(body)).join("\n");
  for (const { where, text, exact, title } of await shownFigures(page)) {
    if (exact === undefined) {
      for (const amount of amountsIn(text)) {
        compared.count(place, "written in full");
        // A sentence that the API wrote, such as why an alert fires, stands as it came.
        const [sentence = text] = text.split(/(?<=\.)\s/).filter((one) => amountsIn(one).includes(amount));
        if (texts.includes(JSON.stringify(sentence.replace(/\.$/, "")).slice(1, -1))) continue;
        if (!numbers.has(plain(amount) ?? amount) && !says(title, numbers) && !isOfSummary(where, amount, numbers))
          compared.differ(
            place,
            `${where}: ${amount} of “${text.slice(0, 80)}” has no exact value, and no answer has it`,
          );
      }
      continue;
    }
    compared.count(place, "shown = given");
    if (!numbers.has(exact)) compared.differ(place, `${where}: no answer has ${exact} (“${text.slice(0, 80)}”)`);
    if (!isRoundingOf(text, exact))
      compared.differ(place, `${where}: “${text.slice(0, 80)}” is no rounding of ${exact}`);
  }
  await compareTables(page, place, usageOf(all), compared);
  await compareQuotas(page, place, all, compared);
}

/** `619 events in the minute`, of 10.3 a second: what it was made of stands there on demand. */
const says = (title: string, numbers: ReadonlySet<string>) =>
  [...title.matchAll(/\d[\d,]*(?:\.\d+)?/g)].some(([text]) => numbers.has(plain(text.replaceAll(",", "")) ?? text));

/** A chart's summary, which is only heard, rounds what the legend has with all digits. */
const isOfSummary = (where: string, amount: string, numbers: ReadonlySet<string>) =>
  ["figcaption", "cycle-course"].includes(where) && [...numbers].some((number) => isRoundingOf(amount, number));

export const usageOf = (answers: readonly RecordedAnswer[]) =>
  answers.filter(({ url }) => url.pathname === "/v1/usage") as { url: URL; body: UsageAnswer }[];

/** The figures that a meter had in any answer, by `meter|window|group`, of which a page asks once each. */
function cellsOf(answers: readonly { body: UsageAnswer }[]): Map<string, Set<string>> {
  const cells = new Map<string, Set<string>>();
  const add = (key: string, value: unknown) =>
    cells.set(key, (cells.get(key) ?? new Set<string>()).add(plain(value) ?? ""));
  for (const { body } of answers)
    for (const { meter, total, series, groups = [] } of body.meters) {
      add(`${meter}||`, total);
      for (const { start, value } of series) add(`${meter}|${start}|`, value);
      for (const group of groups) if (group.is_other !== true) add(`${meter}||=${group.key}`, group.total);
    }
  return cells;
}

async function compareTables(page: Page, place: string, answers: readonly { body: UsageAnswer }[], compared: Compared) {
  const cells = cellsOf(answers);
  const found = await page.locator("main table td[data-meter]").evaluateAll((all) =>
    all.flatMap((cell) => {
      const { meter = "", figure = "" } = (cell as HTMLElement).dataset;
      const row = cell.closest("tr") as HTMLElement;
      // What is taken together has no key to be found by.
      const isOther =
        cell.closest("tbody") !== null && row.dataset.start === undefined && row.dataset.key === undefined;
      const group = row.dataset.key === undefined ? "" : `=${row.dataset.key}`;
      return isOther ? [] : [{ key: `${meter}|${row.dataset.start ?? ""}|${group}`, figure }];
    }),
  );
  for (const { key, figure } of found) {
    compared.count(place, "table = answer");
    const given = cells.get(key) ?? new Set(figure === "" ? [""] : []);
    if (!given.has(plain(figure) ?? ""))
      compared.differ(place, `table ${key}: ${figure}, not ${[...given].join(" or ")}`);
  }
}

async function compareQuotas(page: Page, place: string, answers: readonly RecordedAnswer[], compared: Compared) {
  const periods = answers.filter(({ url }) => url.pathname === "/v1/period") as { body: Period }[];
  const shown = await page.getByTestId("quota").evaluateAll((rows) =>
    rows.map((row) => ({
      feature: (row as HTMLElement).dataset.feature ?? "",
      titles: [...row.querySelectorAll<HTMLElement>("[data-figures] > [title], [data-figures] > span > [title]")].map(
        ({ title }) => title,
      ),
    })),
  );
  for (const { feature, titles } of shown) {
    const quotas = periods.flatMap(({ body }) => body.quotas).filter((one) => one.feature === feature);
    const [used, limit] = titles.map(numberAtStart);
    const same = quotas.find((one) => plain(one.used) === used);
    compared.same(place, "quota = period", `${feature} used`, used, same && plain(same.used));
    if (same && same.limit !== null)
      compared.same(place, "quota = period", `${feature} limit`, limit, plain(same.limit));
  }
}
