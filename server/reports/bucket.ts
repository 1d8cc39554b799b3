/**
 * Where the operator keeps scheduled reports beside the mails: a folder, or a bucket of an S3-compatible store. Both are the
 * operator's own setting and may be anywhere, so that requests to the store do not go through the guarded egress: nothing that users
 * name becomes part of a host, only of the path within the bucket.
 */
import { hash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { S3Client } from "@aws-sdk/client-s3";

export interface FolderSettings {
  kind: "folder";
  /** Absolute. */
  path: string;
}

export interface S3Settings {
  kind: "s3";
  bucket: string;
  /** Empty, or with a slash at its end. */
  prefix: string;
  /** Undefined: that of AWS in the region. */
  endpoint: string | undefined;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
}

export type BucketSettings = FolderSettings | S3Settings;

export interface BucketFile {
  /** Segments as `pathSegment` makes them, separated by slashes. */
  path: string;
  contentType: string;
  bytes: number;
  /** In hexadecimal. */
  sha256: string;
  content: AsyncIterable<Uint8Array>;
}

export interface Bucket {
  /** Resolves once it is stored for good; a file of this path is replaced, and is never seen in part. */
  put(file: BucketFile): Promise<void>;
}

export function openBucket(settings: BucketSettings): Bucket {
  return settings.kind === "folder" ? folderBucket(settings) : s3Bucket(settings);
}

const longestSegment = 120;

/** One name in a path, whatever the text is: never empty, hidden, a way up or longer than file systems allow. */
export function pathSegment(text: string): string {
  const plain = encodeURIComponent(text).replace(/^\./, "%2E").replaceAll("*", "%2A") || "%";
  if (plain.length <= longestSegment) return plain;
  return `${plain.slice(0, longestSegment - 17)}-${hash("sha256", text, "hex").slice(0, 16)}`;
}

function folderBucket({ path: folder }: FolderSettings): Bucket {
  return {
    async put({ path, content }) {
      const target = join(folder, path);
      // Two that write the same at once write one file each, and the last to finish stays.
      const partial = `${target}.${randomUUID()}.partial`;
      await mkdir(dirname(target), { recursive: true });
      try {
        await pipeline(Readable.from(content), createWriteStream(partial, { flush: true }));
        await rename(partial, target);
      } catch (error) {
        await rm(partial, { force: true });
        throw error;
      }
      const parent = await open(dirname(target));
      try {
        await parent.sync();
      } finally {
        await parent.close();
      }
    },
  };
}

const connectionMs = 10_000;
/** Without a sign of life of the store. */
const silentMs = 60_000;

function s3Bucket({ bucket, prefix, endpoint, region, credentials }: S3Settings): Bucket {
  let client: Promise<S3Client> | undefined;
  // Only a process that stores something pays for the client: 15 MB of memory.
  const load = () => import("@aws-sdk/client-s3");
  const connect = async () => {
    const { S3Client } = await load();
    return new S3Client({
      region,
      credentials,
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
      // A stream is read once; the outbox tries again with a new one, and says so.
      maxAttempts: 1,
      logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
      // Stores other than AWS know the older checksums only.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      requestHandler: { connectionTimeout: connectionMs, socketTimeout: silentMs },
    });
  };
  return {
    async put({ path, contentType, bytes, sha256, content }) {
      client ??= connect().catch((error: unknown) => {
        client = undefined;
        throw error;
      });
      const [{ PutObjectCommand }, open] = [await load(), await client];
      const command = new PutObjectCommand({
        Bucket: bucket,
        Key: `${prefix}${path}`,
        ContentType: contentType,
        ContentLength: bytes,
        // The store refuses what arrived otherwise.
        ChecksumSHA256: Buffer.from(sha256, "hex").toString("base64"),
        Body: Readable.from(content, { objectMode: false }),
      });
      await open.send(command);
    },
  };
}
