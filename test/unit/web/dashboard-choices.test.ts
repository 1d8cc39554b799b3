import { expect, test } from "vitest";
import { panelQuery, sharedQuery } from "../../../web/src/state/dashboard-choices.ts";

const kept = "range=custom&from=2026-03-01&through=2026-03-07&tz=Asia%2FTokyo&compare=previous&meters=sessions";

test("what the address says of the range stands in place of all that was kept of it, and of nothing else", () => {
  expect(sharedQuery(kept, "range=7d&edit=1").toString()).toBe("range=7d&tz=Asia%2FTokyo&compare=previous");
  expect(sharedQuery(kept, "compare=none").get("compare")).toBe("none");
  expect(Object.fromEntries(sharedQuery(kept, ""))).toEqual({
    ...{ range: "custom", from: "2026-03-01", through: "2026-03-07" },
    ...{ tz: "Asia/Tokyo", compare: "previous" },
  });
});

test("a panel keeps its own question, in the range of its dashboard", () => {
  const own = "meters=chat_posts&by=room&range=90d&window=week&node=organization%3Aacme&sort=chat_posts";
  expect(Object.fromEntries(panelQuery(own, sharedQuery(kept, "range=7d")))).toEqual({
    ...{ meters: "chat_posts", by: "room", node: "organization:acme" },
    ...{ range: "7d", tz: "Asia/Tokyo", compare: "previous" },
  });
});
