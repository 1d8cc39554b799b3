/** How events arrive in the worst of networks: in any order, some twice, some long after all others. */
import { type Random, shuffled } from "./random.ts";

export interface Delivery<T> {
  /** To be sent first. */
  inTime: T[];
  /** Repeats of events that are in `inTime` or `late`, to be sent once all of `inTime` was. */
  repeated: T[];
  /** To be sent last of all. */
  late: T[];
}

/** Each event is in exactly one of `inTime` and `late`; `repeated` holds none twice. Shares are of all events, 0 to 1. */
export function planDelivery<T>(
  events: readonly T[],
  { repeatedShare, lateShare, random }: { repeatedShare: number; lateShare: number; random: Random },
): Delivery<T> {
  const order = shuffled(events, random);
  const lateCount = Math.round(events.length * lateShare);
  return {
    late: order.slice(0, lateCount),
    inTime: order.slice(lateCount),
    repeated: shuffled(events, random).slice(0, Math.round(events.length * repeatedShare)),
  };
}
