/** The event lines of a batch while it is stored and derived. */
import { linesOf } from "./request-record.ts";

interface Piece {
  /** The number of its first line. */
  from: number;
  lines: number;
  bytes: Buffer;
}

/** Event lines in order, as the bytes that they were logged as; a line is made a text only where somebody asks for it. */
export class EventLines {
  readonly #pieces: Piece[] = [];
  #lines = 0;

  static of(lines: readonly string[]): EventLines {
    const made = new EventLines();
    made.add(Buffer.from(lines.map((line) => `${line}\n`).join("")), lines.length);
    return made;
  }

  get length(): number {
    return this.#lines;
  }

  /** `bytes` are `lines` lines, each with its line end. */
  add(bytes: Buffer, lines: number): void {
    if (lines === 0) return;
    this.#pieces.push({ from: this.#lines, lines, bytes });
    this.#lines += lines;
  }

  /** The lines [from, to), each with its line end. */
  bytes(from: number, to: number): Buffer[] {
    const found: Buffer[] = [];
    for (const piece of this.#pieces) {
      const first = Math.max(from - piece.from, 0);
      const end = Math.min(to - piece.from, piece.lines);
      if (first < end) found.push(piece.bytes.subarray(offsetOf(piece, first), offsetOf(piece, end)));
    }
    return found;
  }

  /** Throws when there is no such line. */
  line(index: number): string {
    const [line] = linesOf(Buffer.concat(this.bytes(index, index + 1)));
    if (line === undefined) throw new RangeError(`there is no line ${index} of ${this.#lines}`);
    return line;
  }
}

/** Where a line of the piece begins; the piece's end for the line behind its last. */
function offsetOf({ bytes, lines }: Piece, line: number): number {
  if (line === lines) return bytes.length;
  let offset = 0;
  for (let passed = 0; passed < line; passed++) offset = bytes.indexOf("\n", offset) + 1;
  return offset;
}
