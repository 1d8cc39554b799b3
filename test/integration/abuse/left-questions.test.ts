import { afterAll, beforeAll, expect, test } from "vitest";
import { askedFor, StatementTooHeavyError } from "../../../server/clickhouse/client.ts";
import { eventually } from "../../support/service.ts";
import { type OwnClickHouse, ownClickHouse } from "../../support/stores.ts";

let own: OwnClickHouse;
beforeAll(async () => {
  own = await ownClickHouse();
});
afterAll(() => own?.drop());

const endless = "SELECT sum(cityHash64(number)) FROM system.numbers WHERE {mark:String} != ''";
const running = async (mark: string) =>
  await own.clickhouse.select("SELECT query_id FROM system.processes WHERE Settings['log_comment'] = {mark:String}", {
    mark,
  });

test("a statement whose question ends is ended in the store too", async () => {
  const ending = new AbortController();
  const asked = askedFor(own.clickhouse, { signal: ending.signal, ask: (statement) => statement() });
  const answer = asked.select(endless, { mark: "left" }, { log_comment: "left" });
  answer.catch(() => undefined);
  await eventually("the statement to run", async () => ((await running("left")).length > 0 ? true : undefined));
  const gone = new Error("the caller has gone");
  ending.abort(gone);
  await expect(answer).rejects.toBe(gone);
  await eventually("the store to have ended it", async () => ((await running("left")).length === 0 ? true : undefined));
});

test("a statement that takes more than a question may says so", async () => {
  const asked = askedFor(own.clickhouse);
  await expect(asked.select(endless, { mark: "slow" }, { max_execution_time: 1 })).rejects.toThrow(
    StatementTooHeavyError,
  );
  const large = "SELECT length(groupArray(toString(number))) AS all FROM numbers(10000000)";
  await expect(asked.select(large, {}, { max_memory_usage: "1000000" })).rejects.toThrow(StatementTooHeavyError);
});
