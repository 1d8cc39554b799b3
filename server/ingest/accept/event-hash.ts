/**
 * Identity and body as 64-bit hashes. ClickHouse computes the same identity hash as
 * `xxHash64(concat(toString(length(organization)), ':', organization, id))`.
 */
import xxhash from "xxhash-wasm";

const { h64 } = await xxhash();

/** XXH64 of the UTF-8 form, seed 0. */
export function hashText(text: string): bigint {
  return h64(text);
}

/**
 * What `identityOf` puts before the id. The organization's length in bytes keeps organization "a" with id "bc" apart
 * from organization "ab" with id "c".
 */
export function identityPrefix(organization: string): string {
  return `${Buffer.byteLength(organization, "utf8")}:${organization}`;
}

/** One text for each (organization, id), and no two of them share one. */
export function identityOf(organization: string, id: string): string {
  return identityPrefix(organization) + id;
}
