/** Data folders that released versions made: this version starts them, migrates them, and answers as they did. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync, constants } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startService, type TestService } from "../support/service.ts";

const folder = fileURLToPath(new URL("../upgrade", import.meta.url));
const releases = readdirSync(folder).flatMap((name) => (name.endsWith(".tar.br") ? [name.slice(0, -7)] : []));
const rootKey = "root-of-an-upgraded-data-folder";

function unpacked(file: string): Buffer {
  const params = { [constants.BROTLI_DECODER_PARAM_LARGE_WINDOW]: 1 };
  return brotliDecompressSync(readFileSync(join(folder, file)), { params });
}

/** What an answer says about the past; which moment it is as of is about now, and lists may have learnt new things since. */
function asRemembered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asRemembered);
  if (value === null || typeof value !== "object") return value;
  const known = Object.entries(value).filter(([key]) => !["watermark", "next_cursor"].includes(key));
  return Object.fromEntries(known.map(([key, one]) => [key, asRemembered(one)]));
}

/** Each month closes more statements: of then are those that end no later than the newest that was answered. */
function askedOfThen(path: string, then: unknown): string {
  const [newest] = (then as { statements?: { to: string }[] }).statements ?? [];
  return newest ? `${path}&to=${new Date(Date.parse(newest.to) + 1).toISOString()}` : path;
}

test("there is a data folder of a released version", () => expect(releases).not.toEqual([]));

describe.each(releases)("a data folder of %s", (name) => {
  const answers = JSON.parse(unpacked(`${name}.json.br`).toString("utf8")) as Record<string, unknown>;
  let service: TestService;

  async function ask(path: string): Promise<unknown> {
    const answer = await fetch(service.url + path, { headers: { authorization: `Bearer ${rootKey}` } });
    const text = await answer.text();
    expect(answer.status, `${path}: ${text.slice(0, 500)}`).toBe(200);
    return JSON.parse(text);
  }

  beforeAll(async () => {
    service = await startService({ TIDEMARK_ROOT_KEY: rootKey });
    await service.stopServer();
    await rm(service.dataDir, { recursive: true });
    await mkdir(service.dataDir);
    const { status, stderr } = spawnSync("tar", ["-C", service.dataDir, "-xf", "-"], {
      input: unpacked(`${name}.tar.br`),
    });
    expect(status, String(stderr)).toBe(0);
    await service.startServer();
  });
  afterAll(() => service.stop());

  test.each(Object.keys(answers))("answers as before: %s", async (path) => {
    expect(asRemembered(await ask(askedOfThen(path, answers[path])))).toMatchObject(
      asRemembered(answers[path]) as object,
    );
  });

  test("takes what is sent again as known, and new events in the past as new", async () => {
    const post = async (body: object) => {
      const answer = await fetch(`${service.url}/v1/events?ack=stored`, {
        method: "POST",
        headers: { authorization: `Bearer ${rootKey}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      return [answer.status, await answer.json()];
    };
    const known = { organization: "acme", session: "s1", room: "room-1", user: "u0", agent: "a0" };
    const joined = { id: "e1", ...known, type: "participant.joined", time: "2026-03-01T09:00:00.250Z" };
    expect(await post(joined)).toMatchObject([200, { accepted: 0, duplicates: 1, rejected: [] }]);
    const call = {
      id: "after",
      organization: "acme",
      type: "call.completed",
      value: "1",
      time: "2026-02-01T00:00:00Z",
    };
    expect(await post(call)).toMatchObject([200, { accepted: 1, duplicates: 0, rejected: [] }]);
    expect(
      await ask("/v1/usage?meter=call_minutes&node=organization:acme&from=2026-02-01&to=2026-03-01"),
    ).toMatchObject({
      meters: [{ total: "1" }],
    });
  });
});
