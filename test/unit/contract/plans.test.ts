import { expect, test } from "vitest";
import { pricingSchema } from "../../../server/contract/plans.ts";

test.each(["1,5", "2024-02-29T23:59:59.999+02:00", "", "+1", "\u0000", "1e5"])(
  "a tier that ends at %j is refused by its field, and nothing compares it with others",
  (upTo) => {
    const tiers = [
      { up_to: upTo, unit_price: "1" },
      { up_to: null, unit_price: "2" },
    ];
    const { success, error } = pricingSchema.safeParse({ model: "graduated", tiers });
    expect(success).toBe(false);
    expect(error?.issues[0]?.path).toEqual(["tiers", 0, "up_to"]);
  },
);
