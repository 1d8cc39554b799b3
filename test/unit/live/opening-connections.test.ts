import type { IncomingMessage } from "node:http";
import { expect, test } from "vitest";
import { liveLimits } from "../../../server/contract/live.ts";
import { OpeningConnections } from "../../../server/live/admit-sockets.ts";
import { OpenCounts } from "../../../server/live/open-counts.ts";

const { maxOpening, maxOpeningOfNetwork } = liveLimits;

function request(from: string, headers: Record<string, string> = {}): IncomingMessage {
  return { headers: { host: "here", "x-from": from, ...headers } } as never;
}
const addressOf = ({ headers }: IncomingMessage) => headers["x-from"]?.toString();

test("a network has so many connections that nobody is known on, others have theirs, and one that ends or is admitted makes room", () => {
  const opening = new OpeningConnections(addressOf);
  const own = Array.from({ length: maxOpeningOfNetwork }, (_, place) => request(`2001:db8::${place.toString(16)}`));
  expect(own.every((one) => opening.begin(one))).toBe(true);
  expect(opening.begin(request("2001:db8::ffff"))).toBe(false);
  expect(opening.begin(request("192.0.2.1"))).toBe(true);
  opening.end(own[0] as IncomingMessage);
  opening.end(own[1] as IncomingMessage);
  // A second end of the same one makes no more room.
  opening.end(own[1] as IncomingMessage);
  expect(["a", "b", "c"].map((place) => opening.begin(request(`2001:db8::${place}`)))).toEqual([true, true, false]);
});

test("there are so many of them in all, and none from a page of another origin", () => {
  const opening = new OpeningConnections(addressOf);
  expect(opening.begin(request("192.0.2.1", { origin: "https://elsewhere.example" }))).toBe(false);
  const begun = Array.from({ length: maxOpening }, (_, place) =>
    opening.begin(request(`10.0.${place >> 8}.${place & 255}`)),
  );
  expect(begun.every((one) => one)).toBe(true);
  expect(opening.begin(request("192.0.2.1"))).toBe(false);
});

test("what one of the names has no room for is counted for none, and what is given back twice is given back once", () => {
  const counts = new OpenCounts();
  const [all, own] = [
    ["all", 2],
    ["own", 1],
  ] as const;
  const end = counts.take([all, own]);
  expect(counts.take([all, own])).toBeUndefined();
  expect(counts.take([all])).toBeDefined();
  expect(counts.take([all])).toBeUndefined();
  end?.();
  end?.();
  expect(counts.take([all])).toBeDefined();
  expect(counts.take([all])).toBeUndefined();
});
