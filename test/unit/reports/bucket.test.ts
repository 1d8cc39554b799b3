import { hash } from "node:crypto";
import { expect, test } from "vitest";
import { openBucket, pathSegment } from "../../../server/reports/bucket.ts";
import { folderOf } from "../../../server/reports/put-report.ts";
import { openS3Store, s3Credentials } from "../../support/s3-store.ts";

test("a file that the store does not take is not said to be stored", async () => {
  const store = await openS3Store("reports");
  try {
    const put = async (bucket: string, accessKeyId: string) => {
      const credentials = { ...s3Credentials, accessKeyId };
      const settings = {
        kind: "s3",
        bucket,
        prefix: "",
        region: "us-east-1",
        endpoint: store.url,
        credentials,
      } as const;
      const content = (async function* () {
        yield Buffer.from("x");
      })();
      const sha256 = hash("sha256", "x", "hex");
      await openBucket(settings).put({ path: "x", contentType: "text/plain", bytes: 1, sha256, content });
    };
    await put("reports", s3Credentials.accessKeyId);
    await expect(put("none", s3Credentials.accessKeyId)).rejects.toMatchObject({ name: "NoSuchBucket" });
    await expect(put("reports", "another")).rejects.toMatchObject({ name: "InvalidAccessKeyId" });
  } finally {
    await store.close();
  }
});

test("no name leads out of the folder, and none is longer than a file system takes", () => {
  for (const name of [
    "../../etc",
    "..",
    ".hidden",
    "",
    "a/b",
    "a\\b",
    "\0",
    "漢".repeat(256),
    "x".repeat(256),
    "*",
    "con:",
  ]) {
    const path = folderOf({ node: `organization:${name}`, id: name }, { id: name, from: name, to: name });
    const segments = path.split("/");
    expect(segments, name).toHaveLength(4);
    for (const segment of segments) {
      expect(segment, name).toMatch(/^[^./\\\0*:][^/\\\0*:]*$/);
      expect(segment.length, name).toBeLessThanOrEqual(120);
    }
  }
  expect(pathSegment("a".repeat(300))).not.toBe(pathSegment("a".repeat(301)));
});
