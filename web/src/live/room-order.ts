/** The order in which live rooms stand, pure. */
import type { LiveRoom } from "@contract/live.ts";
import { language } from "../texts/locale.ts";

export const roomColumns = ["room", "organization", "participants", "age"] as const;
export type RoomColumn = (typeof roomColumns)[number];

export interface RoomOrder {
  by: RoomColumn;
  isAscending: boolean;
}

/** As the server gives them. */
const usual: RoomOrder = { by: "age", isAscending: false };

/** `participants` or `-participants`, as an address has it; descending is with the minus. */
export function parseRoomOrder(text: string | undefined): RoomOrder {
  const isAscending = !text?.startsWith("-");
  const by = roomColumns.find((column) => column === (isAscending ? text : text?.slice(1)));
  return by ? { by, isAscending } : usual;
}

export function formatRoomOrder({ by, isAscending }: RoomOrder): string | undefined {
  if (by === usual.by && isAscending === usual.isAscending) return undefined;
  return isAscending ? by : `-${by}`;
}

/** The other way round where it sorts already; figures begin with the largest, names with A. */
export function nextOrder(order: RoomOrder, by: RoomColumn): RoomOrder {
  if (order.by === by) return { by, isAscending: !order.isAscending };
  return { by, isAscending: by === "room" || by === "organization" };
}

/** Equal ones stay in the order that they come in. */
export function orderedRooms(
  rooms: readonly LiveRoom[],
  { by, isAscending }: RoomOrder,
  nameOf: (organization: string) => string,
): LiveRoom[] {
  const compare: Record<RoomColumn, (a: LiveRoom, b: LiveRoom) => number> = {
    room: (a, b) => names.compare(a.room || a.session, b.room || b.session),
    organization: (a, b) => names.compare(nameOf(a.organization), nameOf(b.organization)),
    participants: (a, b) => a.participants - b.participants,
    age: (a, b) => Date.parse(b.started_at) - Date.parse(a.started_at),
  };
  const sign = isAscending ? 1 : -1;
  return [...rooms].sort((a, b) => sign * compare[by](a, b));
}

const names = new Intl.Collator(language.dates, { numeric: true });
