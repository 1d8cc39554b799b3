/** Copies of the project in which a single thing is wrong. */
import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Replacement {
  file: string;
  right: string;
  wrong: string;
}

/** An error in a rule, and the tests that must turn red for it. */
export interface PlantedError extends Replacement {
  rule: string;
  tests: string;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The folder of a copy with the replacements made. Throws when there is nothing to replace. */
export function copyWithErrors(replacements: readonly Replacement[]): string {
  const copy = mkdtempSync(join(tmpdir(), "tidemark-planted-"));
  for (const part of ["server", "clickhouse", "test", "web", "package.json", "tsconfig.json"])
    cpSync(join(root, part), join(copy, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  for (const { file, right, wrong } of replacements) {
    const text = readFileSync(join(copy, file), "utf8");
    if (!text.includes(right)) throw new Error(`${file} has no ${right}`);
    writeFileSync(join(copy, file), text.replace(right, wrong));
  }
  return copy;
}
