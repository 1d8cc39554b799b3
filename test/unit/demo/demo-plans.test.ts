import { expect, test } from "vitest";
import { createPlanSchema } from "../../../server/contract/plans.ts";
import { demoOrganizations } from "../../../server/demo/demo-accounts.ts";
import { demoPlans, planOf } from "../../../server/demo/demo-plans.ts";

test("every plan of the demonstration is one that the service takes, and every organization has one of them", () => {
  for (const plan of demoPlans) expect(() => createPlanSchema.parse(plan)).not.toThrow();
  const taken = new Set(demoOrganizations.map(planOf));
  expect([...taken].sort()).toEqual(demoPlans.map(({ name }) => name).sort());
});
