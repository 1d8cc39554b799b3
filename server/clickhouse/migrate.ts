/**
 * Brings a database to the newest schema. Migrations are plain SQL files, forward only, and each stands alone: it includes
 * no fragment, for an applied file never changes, and one that did is reported instead of being run or ignored.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { ClickHouse } from "./client.ts";

export interface Migration {
  name: string;
  checksum: string;
  statements: string[];
}

/** Splits a file into statements at semicolons outside of quotes and comments; HTTP takes one statement at a time. */
export function splitStatements(sql: string): string[] {
  const statements: string[] = [];
  let start = 0;
  const token = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^'\\]|\\[\s\S]|'')*'|`[^`]*`|"[^"]*"|;/g;
  for (const match of sql.matchAll(token)) {
    if (match[0] !== ";") continue;
    statements.push(sql.slice(start, match.index));
    start = match.index + 1;
  }
  statements.push(sql.slice(start));
  return statements.map((statement) => statement.trim()).filter((statement) => withoutComments(statement) !== "");
}

function withoutComments(sql: string): string {
  return sql.replace(/--[^\n]*/g, "").trim();
}

/** @throws when a file includes a fragment: editing that would change what installations have applied already. */
export function readMigrations(
  directory = fileURLToPath(new URL("../../clickhouse/migrations", import.meta.url)),
): Migration[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith(".sql"))
    .sort()
    .map((file) => {
      const sql = readFileSync(join(directory, file), "utf8");
      if (/\{\{\w+\}\}/.test(sql)) throw new Error(`Migration ${file} includes a fragment; write its text out.`);
      return {
        name: file.slice(0, -".sql".length),
        checksum: createHash("sha256").update(sql).digest("hex"),
        statements: splitStatements(sql),
      };
    });
}

const appliedRow = z.object({ name: z.string(), checksum: z.string(), statements_done: z.coerce.number() });

/**
 * Applies what is missing, statement by statement, remembering each: a start that was killed in between goes on where it
 * stopped. Answers the names of the migrations that were applied now.
 *
 * @throws when an applied migration's file has changed, or the database knows a migration that this version does not.
 */
export async function migrateClickHouse(clickhouse: ClickHouse, migrations = readMigrations()): Promise<string[]> {
  await clickhouse.command(
    `CREATE TABLE IF NOT EXISTS schema_migrations (name String, checksum String, statements_done UInt32, applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'))
     ENGINE = ReplacingMergeTree(statements_done) ORDER BY name`,
  );
  const applied = new Map(
    z
      .array(appliedRow)
      .parse(await clickhouse.select("SELECT name, checksum, statements_done FROM schema_migrations FINAL", {}))
      .map((row) => [row.name, row]),
  );
  const known = new Set(migrations.map((migration) => migration.name));
  const unknown = [...applied.keys()].find((name) => !known.has(name));
  if (unknown) throw new Error(`The database has migration ${unknown}, which this version of Tidemark does not know.`);
  const appliedNow: string[] = [];
  for (const migration of migrations) {
    const earlier = applied.get(migration.name);
    if (earlier && earlier.checksum !== migration.checksum)
      throw new Error(`clickhouse/migrations/${migration.name}.sql was changed after it had been applied.`);
    const done = earlier?.statements_done ?? 0;
    if (done === migration.statements.length) continue;
    for (let index = done; index < migration.statements.length; index++) {
      await clickhouse.command(asRepeatable(migration.statements[index] as string));
      await clickhouse.command(
        "INSERT INTO schema_migrations (name, checksum, statements_done) VALUES ({name:String}, {checksum:String}, {done:UInt32})",
        { name: migration.name, checksum: migration.checksum, done: index + 1 },
      );
    }
    appliedNow.push(migration.name);
  }
  return appliedNow;
}

/** A statement that ran just before the process was killed must not fail when it runs again. */
function asRepeatable(statement: string): string {
  return statement.replace(/\bCREATE (TABLE|MATERIALIZED VIEW) (?!IF NOT EXISTS)/, "CREATE $1 IF NOT EXISTS ");
}
