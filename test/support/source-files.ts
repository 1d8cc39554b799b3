/** The project's own sources as text, for the tests of how they are laid out. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

export interface SourceFile {
  /** From the project's root. */
  path: string;
  /** As they are written, types and those loaded later too. */
  imports: string[];
  text: string;
}

export function sourcesIn(folder: string): SourceFile[] {
  const files: SourceFile[] = [];
  const walk = (path: string) => {
    if (statSync(path).isDirectory()) for (const name of readdirSync(path)) walk(join(path, name));
    else if (/\.(ts|svelte)$/.test(path)) {
      const text = readFileSync(path, "utf8");
      const imports = [...text.matchAll(/(?:(?<!["'])\bfrom|import\()\s*["']([^"']+)["']/g)].map(
        (match) => match[1] as string,
      );
      files.push({ path: relative(root, path), imports, text });
    }
  };
  walk(join(root, folder));
  return files;
}

/** The sources that a source imports, as paths from the project's root. */
export function importedBy({ path, imports }: SourceFile): string[] {
  return imports.filter((one) => one.startsWith(".")).map((one) => relative(root, resolve(root, dirname(path), one)));
}
