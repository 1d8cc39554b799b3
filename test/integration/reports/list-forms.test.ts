/** The lists that are answered as tables, by `Accept`, beside what they say as JSON. */
import readWorkbook from "read-excel-file/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createReportsWorld, type ReportsWorld, reseller } from "../../support/reports-world.ts";

let world: ReportsWorld;
beforeAll(async () => {
  world = await createReportsWorld();
});
afterAll(() => world?.close());

const xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const parquet = "application/vnd.apache.parquet";
const range = "from=2026-01-01&to=2026-02-01";
const lists = [
  { path: `/v1/usage?node=${reseller}&meter=transcribed_minutes,documents&${range}&compare=previous`, key: "meters" },
  { path: `/v1/usage?node=${reseller}&meter=documents&${range}&group_by=organization`, key: "meters" },
  { path: `/v1/organizations?node=${reseller}`, key: "organizations" },
  { path: `/v1/records?node=${reseller}`, key: "records" },
  { path: `/v1/statements?node=${reseller}`, key: "statements" },
  { path: `/v1/audit?node=${reseller}`, key: "entries" },
];

async function ask(path: string, accept: string): Promise<Buffer> {
  const answer = await fetch(`${world.url}${path}`, { headers: { authorization: `Bearer ${world.key}`, accept } });
  expect(answer.status, path).toBe(200);
  expect(answer.headers.get("content-type")?.split(";")[0]).toBe(accept);
  return Buffer.from(await answer.arrayBuffer());
}

async function parquetRows(bytes: Buffer): Promise<unknown[][]> {
  const sql = `SELECT * FROM format(Parquet, unhex('${bytes.toString("hex")}')) FORMAT JSONCompactEachRow`;
  const parts: Buffer[] = [];
  for await (const part of world.deps.clickhouse.selectBytes(sql, {})) parts.push(part);
  const lines = Buffer.concat(parts).toString("utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

test.each(lists)("$path has the same rows as CSV, lines, Excel and Parquet", async ({ path, key }) => {
  const { body } = await world.ask("GET", path, { key: world.key });
  const csv = (await ask(path, "text/csv")).toString("utf8").trimEnd().split("\r\n");
  const [sheet] = await readWorkbook(await ask(path, xlsx));
  const rows = await parquetRows(await ask(path, parquet));
  const lines = (await ask(path, "application/x-ndjson")).toString("utf8").trimEnd().split("\n");
  const head = csv[0]?.split(",") ?? [];
  expect(sheet?.data[0]).toEqual(head);
  expect(rows).toHaveLength(csv.length - 1);
  expect(sheet?.data).toHaveLength(csv.length);
  if (key !== "meters") {
    expect(csv).toHaveLength(body[key].length + 1);
    expect(lines.map((line) => JSON.parse(line))).toEqual(body[key]);
  }
  // Figures are the same wherever they stand.
  for (const [at, name] of head.entries())
    if (["value", "users", "usage", "total", "documents", "sequence", "transcribed_minutes"].includes(name))
      for (const [index, row] of rows.entries()) {
        const cell = csv[index + 1]?.match(/(?:"(?:[^"]|"")*"|[^,]*)(?:,|$)/g)?.[at]?.replace(/,$/, "") ?? "";
        expect(row[at] === null ? "" : String(Number(row[at])), `${name} ${index}`).toBe(
          cell === "" ? "" : String(Number(cell)),
        );
        expect(sheet?.data[index + 1]?.[at] ?? null).toBe(cell === "" ? null : Number(cell));
      }
});
