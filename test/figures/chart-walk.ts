/** The values of a chart, window by window, as it says them to somebody who walks it by keyboard. */
import type { Page } from "playwright-core";
import type { UsageAnswer } from "../../server/contract/usage.ts";
import type { Compared } from "./compared.ts";
import { plain } from "./decimals.ts";
import { isRoundingOf } from "./shown-figures.ts";

/** More windows than these would be walked for minutes. */
const walked = 40;

const isAt = (page: Page, window: number) =>
  page
    .waitForFunction(
      (nth) => document.querySelector("[data-testid=chart]")?.getAttribute("aria-valuenow") === String(nth),
      window,
      { timeout: 5_000 },
    )
    .then(
      () => true,
      () => false,
    );

/** From its beginning: a chart that was drawn anew meanwhile has forgotten where it was. */
async function walkTo(page: Page, window: number): Promise<void> {
  const chart = page.getByTestId("chart").first();
  await chart.press("Home");
  for (let at = 0; at < window; at++) await chart.press("ArrowRight");
  if (!(await isAt(page, window))) throw new Error(`the chart does not come to window ${window}`);
}

/** The first chart of the page, which draws `answer`, by its meters or by the groups of its first. */
export async function compareChart(page: Page, place: string, answer: UsageAnswer, compared: Compared) {
  const chart = page.getByTestId("chart").first();
  const said = page.getByTestId("chart-said").first();
  await chart.focus();
  await page.keyboard.press("Home");
  const windows = answer.meters[0]?.series.length ?? 0;
  const [first] = answer.meters;
  // Of what is grouped one meter is drawn, by its groups, and said as a whole.
  const drawn = first?.groups
    ? [first, ...first.groups].map((one) => ({ name: "key" in one ? one.key : first.meter, series: one.series }))
    : answer.meters.map(({ meter, series }) => ({ name: meter, series }));
  for (let at = 0; at < Math.min(windows, walked); at++) {
    if (at > 0) await chart.press("ArrowRight");
    if (!(await isAt(page, at))) await walkTo(page, at);
    const text = (await said.textContent()) ?? "";
    for (const { name, series } of drawn) {
      const value = plain(series[at]?.value);
      compared.count(place, "chart = answer");
      const values = text.split(/[;.] |: /).slice(1);
      if (value !== undefined && !values.some((one) => /^[-−]?\d/.test(one) && isRoundingOf(one, value)))
        compared.differ(place, `chart, ${name} in window ${at}: ${value} is not in “${text.slice(0, 200)}”`);
    }
  }
  await page.keyboard.press("Escape");
}
