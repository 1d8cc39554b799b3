/** `npm start`: from a fresh clone to a running service. Arguments go to the service (`--demo`). */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, install, prepare, root } from "./setup.mjs";

await prepare(install, build);
// In this process, so that signals and the exit code are the service's own.
process.env.NODE_ENV ??= "production";
await import(pathToFileURL(join(root, "dist", "server", "main.js")).href);
