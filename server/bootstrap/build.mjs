/** `npm run build`: installs and builds without starting. */
import { build, install, prepare } from "./setup.mjs";

await prepare(install, build);
