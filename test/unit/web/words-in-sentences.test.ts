import { expect, it } from "vitest";
import { titleInSentence } from "../../../web/src/charts/meters.ts";
import { billingTexts } from "../../../web/src/texts/en/billing.ts";

it("a meter's title begins small within a sentence, unless it begins with an abbreviation", () => {
  const titles = ["Call minutes", "E-mails", "API calls", "Q&A posts"];
  expect(titles.map(titleInSentence)).toEqual(["call minutes", "e-mails", "API calls", "Q&A posts"]);
});

it("the last day of a cycle is told in hours alone", () => {
  expect(billingTexts.remaining(0, 9)).toBe("9 hours remaining");
  expect(billingTexts.remaining(1, 1)).toBe("1 day 1 hour remaining");
});
