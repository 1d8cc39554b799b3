/** `npm run build`: installs and builds without starting. */
import { build, checkNode, install } from "./setup.mjs";

checkNode();
await install();
await build();
