import { describe, expect, it } from "vitest";
import { planDelivery } from "../../../server/programs/delivery.ts";
import { flightEvents, parseFlights } from "../../../server/programs/flights.ts";
import { seededRandom } from "../../../server/programs/random.ts";

const numbers = Array.from({ length: 1_000 }, (_, index) => index);
const plan = (seed: number) =>
  planDelivery(numbers, { repeatedShare: 0.05, lateShare: 0.01, random: seededRandom(seed) });

describe("the order in which flights are replayed", () => {
  it("sends every event, each once but for the repeats", () => {
    const { inTime, late, repeated } = plan(1);
    expect([...inTime, ...late].sort((a, b) => a - b)).toEqual(numbers);
    expect([late.length, repeated.length]).toEqual([10, 50]);
    expect(new Set(repeated).size).toBe(50);
  });

  it("is shuffled, the same for a seed and another for another seed", () => {
    expect(plan(1)).toEqual(plan(1));
    expect(plan(1).inTime).not.toEqual(plan(2).inTime);
    expect(plan(1).inTime.slice(0, 20)).not.toEqual(
      plan(1)
        .inTime.slice(0, 20)
        .sort((a, b) => a - b),
    );
  });
});

describe("a flight's events", () => {
  const csv = (line: string) => `id,user,group,start_ms,end_ms,origin,dest,distance_miles\n${line}\n`;

  it("are its departure and arrival, with ids that follow from the flight", () => {
    const flights = parseFlights(csv("f1,N1,DL,1293882540000,1293889560000,IAH,ATL,689"));
    const place = { organization: "DL", user: "N1", session: "f1", room: "IAH-ATL", interval: "f1" };
    expect(flights.flatMap(flightEvents)).toEqual([
      { id: "f1.joined", type: "participant.joined", time: "2011-01-01T11:49:00.000Z", ...place },
      { id: "f1.left", type: "participant.left", time: "2011-01-01T13:46:00.000Z", ...place },
    ]);
  });

  it("are not made up from a file of another form", () => {
    expect(() => parseFlights("id,user\nf1,N1")).toThrow("the columns must be");
    expect(() => parseFlights(csv("f1,N1,DL,2,1,IAH,ATL,689"))).toThrow("line 2 is no flight");
    expect(() => parseFlights(csv("f1,N1,DL,1,x,IAH,ATL,689"))).toThrow("line 2 is no flight");
  });
});
