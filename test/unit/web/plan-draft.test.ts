/** What a person fills in becomes the terms that the server takes, and back. */
import { expect, test } from "vitest";
import { planTermsSchema } from "../../../server/contract/plans.ts";
import { draftOf, newDraft, newFeature, priceLevels, termsOf } from "../../../web/src/state/plan-draft.ts";
import { differencesOf } from "../../../web/src/words/plans.ts";

const terms = planTermsSchema.parse({
  currency: "EUR",
  fixed_fee: { organization: "49", reseller: "0.000000000001" },
  features: [
    {
      key: "calls",
      meter: "call_minutes",
      included: "500.5",
      overage: "bill",
      thresholds: [50, 99.5],
      prices: {
        organization: {
          model: "graduated",
          tiers: [
            { up_to: "1000", unit_price: "0.05", flat_fee: "2" },
            { up_to: null, unit_price: "0.04" },
          ],
        },
        reseller: { model: "package", size: "10", price: "0.2" },
      },
    },
    { key: "rooms", meter: "max_concurrent_sessions", included: "5", overage: "block", grace_hours: 24 },
    { key: "sso", enabled: false },
  ],
});
const versionOf = (given: object) => ({
  version: 1,
  status: "draft" as const,
  published_at: null,
  ...planTermsSchema.parse(given),
});
const meterOf = (meter: string) => ({ title: meter, unit: "minutes" });

test("terms that are opened and saved again are the same to the last digit", () => {
  expect(planTermsSchema.parse(termsOf(draftOf(versionOf(terms)), priceLevels))).toEqual(terms);
});

test("fields that the choice does not have are not sent, whatever was typed before", () => {
  const draft = newDraft();
  draft.features.push(newFeature("call_minutes", draft.features));
  draft.features.push(newFeature("call_minutes", draft.features));
  const [first, second] = draft.features;
  if (!first || !second) throw new Error("there are two");
  Object.assign(first, { included: "5", graceHours: "3", overage: "notify" });
  first.prices.organization.model = "package";
  Object.assign(second, { meter: "", included: "5", overage: "block", graceHours: "3" });
  const sent = planTermsSchema.parse(termsOf(draft, ["organization"]));
  expect(sent.features).toMatchObject([
    { key: "call_minutes", included: "5", grace_hours: 0, prices: {} },
    { key: "call_minutes_2", meter: null, included: null, overage: "notify", grace_hours: 0 },
  ]);
});

test("two versions differ in what was changed alone; a feature that came or went is one difference", () => {
  expect(differencesOf(versionOf(terms), versionOf(terms), meterOf)).toEqual([]);
  const [calls, , sso] = terms.features;
  const mails = { key: "mails", meter: "emails" };
  const changed = { ...terms, currency: "USD", features: [{ ...calls, included: null, prices: {} }, mails, sso] };
  const differences = differencesOf(versionOf(terms), versionOf(changed), meterOf);
  expect(
    differences.map(({ feature, what, before, after }) => [feature, what, before === null, after === null]),
  ).toEqual([
    [null, "Currency", false, false],
    [null, "Fixed fee, organization", false, false],
    [null, "Fixed fee, reseller", false, false],
    ["Calls", "Included", false, false],
    ["Calls", "Price, organization", false, true],
    ["Calls", "Price, reseller", false, true],
    ["Mails", "Feature", true, false],
    ["Rooms", "Feature", false, true],
  ]);
  expect(differences[3]).toMatchObject({ before: "500.5 minutes", after: "No limit" });
});
