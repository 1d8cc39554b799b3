/** Runs one of the built programs from a fresh clone: `node server/bootstrap/program.mjs <name> [arguments]`. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, checkNode, install, root } from "./setup.mjs";

checkNode();
const [name, ...args] = process.argv.slice(2);
try {
  await install();
  await build();
} catch (error) {
  console.error(`\n${error.message}`);
  process.exit(1);
}
const entry = join(root, "dist", "server", `${name}.js`);
process.argv = [process.argv[0], entry, ...args];
await import(pathToFileURL(entry).href);
