/**
 * What an entry keeps of a large snapshot, so that whoever reads many of them holds little: what is left out stands as the hash
 * of it, by which a copy can be checked. Pure.
 */
import { hash } from "node:crypto";
import { canonicalJson, type Json } from "./canonical-json.ts";

/** Characters of its canonical JSON. */
export const maxSnapshotCharacters = 32 * 1024;
/** What a member may keep of a snapshot that is too large as a whole. */
const maxMemberCharacters = 2 * 1024;

const sizeOf = (value: Json) => canonicalJson(value).length;

/** The snapshot itself where it is small enough; else large members are cut: of lists their end, of all else everything. */
export function boundedSnapshot(snapshot: Json): Json {
  if (sizeOf(snapshot) <= maxSnapshotCharacters) return snapshot;
  if (snapshot === null || typeof snapshot !== "object") return digest(snapshot);
  if (Array.isArray(snapshot)) return cutList(snapshot, maxSnapshotCharacters);
  // The largest first: what decides what a change was, such as a status, is small and stays.
  const bySize = Object.entries(snapshot).sort(([, a], [, b]) => sizeOf(b) - sizeOf(a));
  const kept = { ...snapshot };
  for (const [key, value] of bySize) {
    if (sizeOf(kept) <= maxSnapshotCharacters) return kept;
    kept[key] = Array.isArray(value) ? cutList(value, maxMemberCharacters) : digest(value);
  }
  return sizeOf(kept) <= maxSnapshotCharacters ? kept : digest(snapshot);
}

/** Its first items, and the hash of all of it in place of the others. */
function cutList(list: Json[], most: number): Json[] {
  const kept: Json[] = [];
  let left = most;
  for (const item of list) {
    left -= sizeOf(item) + 1;
    if (left < 0) return [...kept, digest(list)];
    kept.push(item);
  }
  return kept;
}

const digest = (value: Json) => `sha256:${hash("sha256", canonicalJson(value), "hex")} of ${sizeOf(value)} characters`;
const digestOf = /^sha256:[0-9a-f]{64}( of \d+ characters)$/;

/** Without the hashes of what was left out: a hash confirms a guess of what a reader may not see. */
export function withoutDigests(snapshot: unknown): unknown {
  if (typeof snapshot === "string") return snapshot.replace(digestOf, "sha256:…$1");
  if (Array.isArray(snapshot)) return snapshot.map((one) => (typeof one === "string" ? withoutDigests(one) : one));
  if (typeof snapshot !== "object" || snapshot === null) return snapshot;
  return Object.fromEntries(
    Object.entries(snapshot).map(([key, value]) => [
      key,
      typeof value === "string" || Array.isArray(value) ? withoutDigests(value) : value,
    ]),
  );
}
