/** A question of usage, as a page asked it: its chart, table, total, groups and files all say the same. */
import type { MeterUsage, UsageAnswer } from "../../server/contract/usage.ts";
import type { Api } from "./ask-api.ts";
import type { Compared } from "./compared.ts";
import { compare, plain, rounded, sum } from "./decimals.ts";
import { ofOneMoment, sameCells } from "./file-forms.ts";

/** Minutes are rounded once, where they are written: so many parts may differ from their whole by half a last digit each. */
const lastDigit = 0.000_001;

/** The same question of a range that ends where the page's answer ended, so that it has one answer at any time. */
export function pinned(url: URL, { to }: Pick<UsageAnswer, "to">): string {
  const query = new URLSearchParams(url.search);
  query.set("to", to);
  return `${url.pathname}?${query}`;
}

export async function compareUsage(
  api: Api,
  compared: Compared,
  place: string,
  path: string,
  addsUp: ReadonlySet<string>,
): Promise<void> {
  const query = new URLSearchParams(path.split("?")[1]);
  query.set("window", "total");
  query.delete("compare");
  const wholePath = `/v1/usage?${query}`;
  const found = await ofOneMoment<UsageAnswer, Forms>(api, path, async () => ({
    whole: await api.json<UsageAnswer>(wholePath),
    csv: await api.csv(path),
    sheet: await api.sheet(path),
  }));
  if (!found) {
    compared.count(place, "usage that moved");
    return;
  }
  const { answer, rest } = found;
  for (const meter of answer.meters) {
    const whole = rest.whole.meters.find((one) => one.meter === meter.meter);
    const which = `${meter.meter} of ${path}`;
    compared.same(place, "by window = whole", which, plain(meter.total), plain(whole?.total));
    if (addsUp.has(meter.meter)) compareParts(compared, place, which, meter);
    for (const group of meter.groups ?? []) {
      const same = whole?.groups?.find(({ key, is_other }) => key === group.key && is_other === group.is_other);
      compared.same(place, "group by window = whole", `${group.key} ${which}`, plain(group.total), plain(same?.total));
    }
  }
  compareCsv(compared, place, path, answer, rest.csv);
  sameCells(compared, place, path, rest.csv, rest.sheet);
}

interface Forms {
  whole: UsageAnswer;
  csv: string[][];
  sheet: unknown[][];
}

const known = (values: readonly unknown[]) => values.flatMap((value) => plain(value) ?? []);

function compareParts(compared: Compared, place: string, which: string, { total, series, groups }: MeterUsage): void {
  const whole = plain(total);
  if (whole === undefined) return;
  const parts = { windows: series.map(({ value }) => value), groups: groups?.map((one) => one.total) ?? [] };
  for (const [name, values] of Object.entries(parts)) {
    if (values.length === 0) continue;
    const together = sum(known(values));
    compared.count(place, `sum of ${name} = whole`);
    const apart = Math.abs(Number(sum([together, whole.startsWith("-") ? whole.slice(1) : `-${whole}`])));
    if (apart > values.length * lastDigit)
      compared.differ(place, `${which}: the ${name} come to ${together}, the whole to ${whole}`);
  }
}

/** Without groups a row a window and a column a meter; with them a row each. */
function compareCsv(compared: Compared, place: string, path: string, answer: UsageAnswer, csv: string[][]): void {
  const [head = [], ...rows] = csv;
  const at = (row: string[], name: string) => row[head.indexOf(name)] ?? "";
  const isLong = head.includes("of");
  for (const { meter, series, groups = [] } of answer.meters) {
    const lists = [{ of: "total", key: "", isOther: "false", series }].concat(
      groups.map(({ key, is_other, series }) => ({
        of: is_other === true ? "other" : "group",
        key,
        isOther: String(is_other ?? false),
        series,
      })),
    );
    for (const { of, key, isOther, series } of lists) {
      if (!isLong && of !== "total") continue;
      for (const { start, value } of series) {
        const row = rows.find(
          (one) =>
            at(one, "start") === start &&
            (!isLong ||
              (at(one, "meter") === meter &&
                at(one, "of") === of &&
                at(one, "group") === key &&
                at(one, "is_other") === isOther)),
        );
        const cell = row && at(row, isLong ? "value" : meter);
        // No data is an empty cell; a row that is not there is a difference.
        const wanted = value === null ? "" : plain(value);
        compared.same(place, "JSON = CSV", `${meter} ${key} ${start} of ${path}`, cell && plain(cell), wanted);
      }
    }
  }
}

/** Is `value` within what was before and after it? What only grows has one answer in between. */
export const isBetween = (value: string, before: string, after: string): boolean => {
  const [low, high] = compare(before, after) <= 0 ? [before, after] : [after, before];
  return compare(low, value) <= 0 && compare(value, high) <= 0;
};

/** As pages and API write minutes. */
export const minutesOf = (ms: number): string => rounded(plain(ms / 60_000) ?? "0", 6);
