/**
 * `npm run fuzz`: FUZZ_BODIES (default 100,000) random bodies and FUZZ_QUESTIONS (default 20,000) random questions to every
 * route of a service of its own, by several callers. Nothing may be answered 5xx, and nobody else may wait for longer than
 * a second. FUZZ_SEED repeats a run; FUZZ_LANES (default 4) are sent at once.
 */
import { seededRandom } from "../../server/programs/random.ts";
import { startService, type TestService } from "../support/service.ts";
import { fuzz } from "./fuzz.ts";

const bodies = Number(process.env.FUZZ_BODIES ?? 100_000);
const questions = Number(process.env.FUZZ_QUESTIONS ?? 20_000);
const lanes = Number(process.env.FUZZ_LANES ?? 4);
const seed = process.env.FUZZ_SEED ?? String(Math.floor(Math.random() * 1e9));
const longestWaitMs = 1_000;

const service = await startService({ LOG_LEVEL: "error", TIDEMARK_EVENTS_PER_SECOND: "100000000" });
let isSound = false;
try {
  const root = { authorization: `Bearer ${service.rootKey}` };
  const { url } = service;
  const spared: string[] = [];
  async function makeKey(node: string, scopes: string[]): Promise<Record<string, string>> {
    const made = await ask("POST", "/v1/keys", { name: "fuzz", node, scopes, create_organizations: true });
    spared.push(made.id as string);
    return { authorization: `Bearer ${made.key}` };
  }
  async function ask(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const headers = { ...root, "content-type": "application/json" };
    const response = await fetch(url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  }
  await ask("POST", "/v1/nodes", { kind: "reseller", id: "r1" });
  await ask("POST", "/v1/nodes", { kind: "organization", id: "acme", parent: "reseller:r1" });
  const callers = [
    root,
    await makeKey("reseller:r1", ["ingest", "read", "admin"]),
    await makeKey("organization:acme", ["ingest"]),
    await makeKey("organization:acme", ["read"]),
    { ...(await signIn(service)), origin: url },
  ];
  const bystander = await makeKey("all", ["read"]);
  for (const list of ["keys", "users"] as const)
    for (const { id } of (await ask("GET", `/v1/${list}`))[list] as { id: string }[]) spared.push(id);
  console.log(`seed ${seed}`);
  const found = await fuzz(
    { url, callers, bystander, spared },
    { bodies, questions, lanes, random: seededRandom(seed), say: (line) => console.log(line) },
  );
  isSound = found.wrong.size === 0 && found.longestWaitMs <= longestWaitMs;
  for (const [kind, example] of found.wrong) console.log(`  WRONG ${kind}: ${example}`);
  console.log(`another caller waited ${Math.round(found.longestWaitMs)} ms at most (at most ${longestWaitMs})`);
  if (!isSound) console.log(service.output().slice(-20_000));
} finally {
  await service.stop();
}

/** As the administrator. */
async function signIn({ url, adminEmail, adminPassword }: TestService): Promise<Record<string, string>> {
  const response = await fetch(`${url}/v1/session`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: url },
    body: JSON.stringify({ email: adminEmail, password: adminPassword }),
  });
  const cookie = response.headers.get("set-cookie")?.split(";")[0];
  if (!response.ok || cookie === undefined) throw new Error(`signing in: ${response.status} ${await response.text()}`);
  return { cookie };
}

console.log(isSound ? "nothing gave way" : "something GAVE WAY");
process.exit(isSound ? 0 : 1);
