import { expect, it } from "vitest";
import { IdempotentCreate } from "../../../web/src/state/idempotent-create.ts";

it("creates with one key until that has succeeded, however often it is tried, and with another key for anything else", async () => {
  const creation = new IdempotentCreate();
  const keys: string[] = [];
  const lost = (key: string) => {
    keys.push(key);
    return Promise.reject(new Error("no answer"));
  };
  const made = async (key: string) => keys.push(key);
  await expect(creation.run(lost, "a")).rejects.toThrow("no answer");
  await Promise.all([creation.run(made, "a"), creation.run(made, "a"), creation.run(made, "b")]);
  await creation.run(made, "a");
  const [first, ...others] = keys;
  expect(others.slice(0, 2)).toEqual([first, first]);
  expect(new Set(keys).size).toBe(3);
});
