/** What the build does with what it made: packs it for the wire, and says what a page costs before anything is seen of it. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Plugin } from "vite";

/** Script before the first view of each page, packed with gzip: more makes a phone on a poor line wait. The build fails beyond it. */
const maxFirstViewBytes: Readonly<Record<string, number>> = { index: 110_000, shared: 60_000 };
/** Smaller files gain nothing. */
const minPackedBytes = 1_024;
const packable = /\.(?:js|css|html|svg|json)$/;

const toBrotli = promisify(brotliCompress);
const toGzip = promisify(gzip);

type Bundle = Parameters<Extract<Plugin["writeBundle"], (...all: never[]) => unknown>>[1];

/** The names of the chunk and of all that must be there before it runs. */
function chunksFor(name: string, bundle: Bundle, seen = new Set<string>()): Set<string> {
  const chunk = bundle[name];
  if (seen.has(name) || chunk?.type !== "chunk") return seen;
  seen.add(name);
  for (const needed of chunk.imports) chunksFor(needed, bundle, seen);
  return seen;
}

/**
 * Writes each file a second and a third time, as `.br` and `.gz`, which the server sends as they are; prints how many bytes of
 * script the first view and each page take.
 */
export function shipAssets(): Plugin {
  return {
    name: "ship-assets",
    apply: "build",
    enforce: "post",
    // The files as they were written: other plugins change them until then.
    async writeBundle({ dir = "" }, bundle) {
      const packedBytes = new Map<string, number>();
      const pack = async (name: string) => {
        const path = join(dir, name);
        const content = await readFile(path);
        const [gz, br] = await Promise.all([
          toGzip(content, { level: constants.Z_BEST_COMPRESSION }),
          toBrotli(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
        ]);
        packedBytes.set(name, gz.length);
        if (content.length < minPackedBytes) return;
        await Promise.all([writeFile(`${path}.gz`, gz), writeFile(`${path}.br`, br)]);
      };
      await Promise.all(
        Object.keys(bundle)
          .filter((name) => packable.test(name))
          .map(pack),
      );
      const sizeOf = (names: Iterable<string>) =>
        [...names].reduce((sum, name) => sum + (packedBytes.get(name) ?? 0), 0);
      const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
      const entries = chunks.filter(({ isEntry }) => isEntry);
      const firstOf = new Map(entries.map(({ name, fileName }) => [name, chunksFor(fileName, bundle)]));
      const first = firstOf.get("index") ?? new Set<string>();
      const pages = chunks
        .filter(({ facadeModuleId }) => facadeModuleId?.includes("/src/pages/"))
        .map(({ name, fileName }) => ({
          name,
          bytes: sizeOf([...chunksFor(fileName, bundle)].filter((needed) => !first.has(needed))),
        }))
        .sort((a, b) => b.bytes - a.bytes);
      const kB = (bytes: number) => `${(bytes / 1_000).toFixed(1)} kB`;
      const list = pages.map(({ name, bytes }) => `${name} ${kB(bytes)}`).join(", ");
      this.info(`script, gzip: the pages of index after its first view: ${list}`);
      for (const [name, needed] of firstOf) {
        const [takes, most] = [sizeOf(needed), maxFirstViewBytes[name] ?? 0];
        this.info(`script, gzip: first view of ${name} ${kB(takes)} of ${kB(most)}`);
        if (takes > most) this.error(`the first view of ${name} takes ${kB(takes)} of script, more than ${kB(most)}`);
      }
    },
  };
}
