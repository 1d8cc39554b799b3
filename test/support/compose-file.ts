/** The compose file as Compose reads it: merged anchors, and `${NAME}` of the environment put in. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

export interface ComposeService {
  image?: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string>;
  healthcheck?: { test: string[] };
  logging?: { options?: Record<string, string> };
  mem_limit?: string;
  cpus?: string | number;
  profiles?: string[];
  secrets?: string[];
  ports?: string[];
  volumes?: string[];
  stop_grace_period?: string;
}

export interface ComposeFile {
  services: Record<string, ComposeService>;
  secrets: Record<string, { file: string }>;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** As it stands in the file, with anchors merged. */
export function readComposeText(): unknown {
  return parse(readFileSync(`${root}/docker-compose.yml`, "utf8"), { merge: true });
}

/** With the environment put in, as the specification says. Throws where `${NAME:?words}` has no value. */
export function readCompose(environment: Record<string, string>): ComposeFile {
  return interpolated(readComposeText(), environment) as ComposeFile;
}

function interpolated(value: unknown, environment: Record<string, string>): unknown {
  if (typeof value === "string") return interpolate(value, environment);
  if (Array.isArray(value)) return value.map((item) => interpolated(item, environment));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, interpolated(item, environment)]));
}

function interpolate(text: string, environment: Record<string, string>): string {
  return text.replace(/\$(?:\$|\{(\w+)(?:(:[-+?])([^}]*))?\})/g, (whole, name, operator, words = "") => {
    if (whole === "$$") return "$";
    const value = environment[name] ?? "";
    if (operator === ":-") return value || words;
    if (operator === ":+") return value ? words : "";
    if (operator === ":?" && !value) throw new Error(`${name} ${words}`);
    return value;
  });
}
