import { expect, test } from "vitest";
import { panelQuery, sharedQuery, usageQueryOf, usageQuestion } from "../../../server/contract/usage-question.ts";

const kept = "range=custom&from=2026-03-01&through=2026-03-07&tz=Asia%2FTokyo&compare=previous&meters=sessions";

test("what the address says of the range stands in place of all that was kept of it, and of nothing else", () => {
  expect(sharedQuery(kept, "range=7d&edit=1").toString()).toBe("range=7d&tz=Asia%2FTokyo&compare=previous");
  expect(sharedQuery(kept, "compare=none").get("compare")).toBe("none");
  expect(Object.fromEntries(sharedQuery(kept, ""))).toEqual({
    range: "custom",
    from: "2026-03-01",
    through: "2026-03-07",
    tz: "Asia/Tokyo",
    compare: "previous",
  });
});

test("a panel keeps its own question, in the range of its dashboard", () => {
  const own = "meters=chat_posts&by=room&range=90d&window=week&node=organization%3Aacme&sort=chat_posts";
  expect(Object.fromEntries(panelQuery(own, sharedQuery(kept, "range=7d")))).toEqual({
    meters: "chat_posts",
    by: "room",
    node: "organization:acme",
    range: "7d",
    tz: "Asia/Tokyo",
    compare: "previous",
  });
});

const known = [
  { meter: "chat_posts", dimensions: ["room", "visibility"] },
  { meter: "sessions", dimensions: ["room"] },
  { meter: "participation_minutes", dimensions: ["room"] },
  { meter: "max_concurrent_participants", dimensions: ["room"] },
];
const atMs = Date.parse("2026-03-10T12:00:00Z");
const asked = (address: string) => {
  const search = new URLSearchParams(address);
  return usageQueryOf(usageQuestion((name) => search.get(name) ?? undefined, known, atMs));
};

test("an address asks for the meters that there are, in the days of its range, by what all of them have", () => {
  const where = encodeURIComponent("room:is:a%2Cb;visibility:is:public;nothing:is:x");
  expect(asked(`meters=chat_posts,gone&node=reseller:r&range=7d&tz=Asia/Tokyo&by=room&top=10&where=${where}`)).toEqual({
    meter: "chat_posts",
    node: "reseller:r",
    from: "2026-03-04",
    to: "now",
    window: "day",
    tz: "Asia/Tokyo",
    group_by: "room",
    limit: 10,
    fill: "null",
    compare: undefined,
    compare_match: undefined,
    "filter[room][eq]": ["a,b"],
    "filter[visibility][eq]": ["public"],
  });
  expect(asked("meters=chat_posts,sessions&by=visibility&range=24h&compare=year")).toMatchObject({
    meter: "chat_posts,sessions",
    group_by: undefined,
    limit: undefined,
    window: "hour",
    from: "2026-03-09T12:00:00.000Z",
    to: "now",
    compare: "year",
    compare_match: "weekday",
  });
});

test("what an address says that makes no sense is what is usual", () => {
  expect(asked("meters=gone&range=never&tz=Mars/Base&window=second&by=x&top=7&compare=soon&where=room:like:a")).toEqual(
    asked(""),
  );
});
