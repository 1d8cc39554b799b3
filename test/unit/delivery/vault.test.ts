import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openVault } from "../../../server/delivery/vault.ts";

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tidemark-vault-"));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

test("the key of a data folder is made once, for its owner's eyes alone, and opens what was sealed before a restart", async () => {
  const [one, other] = await Promise.all([1, 2].map(() => openVault({ dataDir, secret: undefined })));
  const sealed = one?.seal("a secret", "chn_1") ?? Buffer.alloc(0);
  expect(other?.open(sealed, "chn_1")).toBe("a secret");
  const path = join(dataDir, "secret.key");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const again = await openVault({ dataDir, secret: undefined });
  expect(again.open(sealed, "chn_1")).toBe("a secret");
  expect(sealed.includes(await readFile(path))).toBe(false);
  await writeFile(path, "cut");
  await expect(openVault({ dataDir, secret: undefined })).rejects.toThrow(/does not hold a key/);
});
