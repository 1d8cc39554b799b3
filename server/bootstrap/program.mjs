/** Runs one of the built programs from a fresh clone: `node server/bootstrap/program.mjs <name> [arguments]`. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, install, prepare, root } from "./setup.mjs";

const [name, ...args] = process.argv.slice(2);
await prepare(install, build);
const entry = join(root, "dist", "server", `${name}.js`);
process.argv = [process.argv[0], entry, ...args];
await import(pathToFileURL(entry).href);
