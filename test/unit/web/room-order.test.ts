import { expect, test } from "vitest";
import type { LiveRoom } from "../../../server/contract/live.ts";
import { formatRoomOrder, nextOrder, orderedRooms, parseRoomOrder } from "../../../web/src/live/room-order.ts";

const room = (name: string, participants: number, minute: number): LiveRoom => ({
  organization: "acme",
  session: `s-${name}`,
  room: name,
  participants,
  started_at: new Date(Date.UTC(2026, 10, 29, 9, minute)).toISOString(),
});
const rooms = [room("daily 10", 3, 0), room("daily 2", 7, 5), room("board", 3, 9)];
const names = (address: string | undefined) =>
  orderedRooms(rooms, parseRoomOrder(address), (organization) => organization).map((one) => one.room);

test("rooms stand by age, size or name, as the address says, and equal ones by age", () => {
  expect(names(undefined)).toEqual(["daily 10", "daily 2", "board"]);
  expect(names("age")).toEqual(["board", "daily 2", "daily 10"]);
  expect(names("-participants")).toEqual(["daily 2", "daily 10", "board"]);
  expect(names("room")).toEqual(["board", "daily 2", "daily 10"]);
  expect(names("no such column")).toEqual(names(undefined));
});

test("a column turns round when it is chosen again, and begins with the largest figure or the first name", () => {
  const usual = parseRoomOrder(undefined);
  expect(formatRoomOrder(usual)).toBeUndefined();
  expect(formatRoomOrder(nextOrder(usual, "participants"))).toBe("-participants");
  expect(formatRoomOrder(nextOrder(nextOrder(usual, "participants"), "participants"))).toBe("participants");
  expect(formatRoomOrder(nextOrder(usual, "room"))).toBe("room");
});
