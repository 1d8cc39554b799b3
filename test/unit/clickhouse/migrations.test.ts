import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readMigrations } from "../../../server/clickhouse/migrate.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const released = JSON.parse(readFileSync(join(root, "test/upgrade/released-migrations.json"), "utf8")) as Record<
  string,
  Record<string, string>
>;

test("no migration that installations have applied ever changes, of either store", () => {
  for (const [folder, checksums] of Object.entries(released)) {
    expect(Object.keys(checksums).length, folder).toBeGreaterThan(0);
    for (const [name, checksum] of Object.entries(checksums))
      expect(
        createHash("sha256")
          .update(readFileSync(join(root, folder, `${name}.sql`)))
          .digest("hex"),
        `${folder}/${name}.sql`,
      ).toBe(checksum);
  }
});

test("a migration is known by its own text alone", () => {
  const checksums = Object.fromEntries(readMigrations().map(({ name, checksum }) => [name, checksum]));
  expect(checksums).toMatchObject(released["clickhouse/migrations"] as object);
});

test("no two migrations of ClickHouse have one number, but for two that databases know by these names already", () => {
  const numbers = readMigrations().map(({ name }) => name.slice(0, 4));
  // A database refuses to start with a migration that it has applied and no longer finds, so neither gets another number.
  expect(numbers.filter((number, place) => numbers.indexOf(number) !== place)).toEqual(["0022"]);
});

test("a migration that includes a fragment is refused before anything is applied", () => {
  const directory = mkdtempSync(join(tmpdir(), "tidemark-migrations-"));
  try {
    writeFileSync(join(directory, "0001_shared.sql"), "CREATE TABLE shared AS {{stands}}");
    expect(() => readMigrations(directory)).toThrow("0001_shared.sql includes a fragment");
  } finally {
    rmSync(directory, { recursive: true });
  }
});
