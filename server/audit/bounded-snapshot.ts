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

/**
 * The snapshot itself where it is small enough; else large members are cut: of lists their end, of all else everything. Takes
 * time in proportion to the snapshot, however many members it has.
 */
export function boundedSnapshot(snapshot: Json): Json {
  let size = sizeOf(snapshot);
  if (size <= maxSnapshotCharacters) return snapshot;
  if (snapshot === null || typeof snapshot !== "object") return digest(snapshot);
  if (Array.isArray(snapshot)) return cutList(snapshot, maxSnapshotCharacters);
  const members = Object.entries(snapshot).map(([key, value]) => ({ key, value, sizeBefore: sizeOf(value) }));
  const kept = { ...snapshot };
  // The largest first: what decides what a change was, such as a status, is small and stays.
  for (const { key, value, sizeBefore } of members.sort((a, b) => b.sizeBefore - a.sizeBefore)) {
    if (size <= maxSnapshotCharacters) return kept;
    const cut = Array.isArray(value) ? cutList(value, maxMemberCharacters) : digest(value);
    kept[key] = cut;
    size += sizeOf(cut) - sizeBefore;
  }
  return size <= maxSnapshotCharacters ? kept : digest(snapshot);
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

function digest(value: Json): string {
  const text = canonicalJson(value);
  return `sha256:${hash("sha256", text, "hex")} of ${text.length} characters`;
}

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
