/** Writes the OpenAPI document to the path that is given, for tools that read it as a file. */
import { writeFileSync } from "node:fs";
import { describedApi } from "./described-api.ts";

writeFileSync(process.argv[2] ?? "dist/openapi.json", JSON.stringify(describedApi(), null, 2));
