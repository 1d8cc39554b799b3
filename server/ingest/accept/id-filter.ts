/**
 * A Bloom filter of identity hashes that says "definitely new" without asking storage. All bits of a hash lie in one
 * 64-byte block, so a test costs one cache miss instead of five.
 */
export class IdFilter {
  readonly #words: Uint32Array;
  readonly #blockMask: number;
  readonly #scratch = new BigUint64Array(1);
  readonly #halves = new Uint32Array(this.#scratch.buffer);

  /** `bytes` is rounded down to a power of two, at least one block. 64 MiB tell 50 million ids apart with 1% asked in vain. */
  constructor(bytes: number) {
    const blocks = 2 ** Math.floor(Math.log2(Math.max(64, bytes) / 64));
    this.#words = new Uint32Array(blocks * wordsPerBlock);
    this.#blockMask = blocks - 1;
  }

  /** False means that `hash` was never added. */
  has(hash: bigint): boolean {
    this.#scratch[0] = hash;
    const low = this.#halves[0] as number;
    const base = ((this.#halves[1] as number) & this.#blockMask) * wordsPerBlock;
    const step = (low >>> 9) | 1;
    for (let index = 0, bit = low; index < bitsPerHash; index++, bit += step) {
      if (((this.#words[base + ((bit >>> 5) & 15)] as number) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }

  add(hash: bigint): void {
    this.#scratch[0] = hash;
    const low = this.#halves[0] as number;
    const base = ((this.#halves[1] as number) & this.#blockMask) * wordsPerBlock;
    const step = (low >>> 9) | 1;
    for (let index = 0, bit = low; index < bitsPerHash; index++, bit += step) {
      const word = base + ((bit >>> 5) & 15);
      this.#words[word] = (this.#words[word] as number) | (1 << (bit & 31));
    }
  }
}

const wordsPerBlock = 16;
const bitsPerHash = 6;
