/** Sends poison and keeps the books: what went in, what each answer said, and what no answer may say. */
import { type PoisonBody, poisonBody } from "./poison-bodies.ts";

/** What became of a body: its verdict, or the code it was refused with. Anything else must throw. */
export type PoisonAnswer = { accepted: number; duplicates: number; rejected: number } | { refused: string };

export interface PoisonBooks {
  bodies: number;
  accepted: number;
  duplicates: number;
  rejected: number;
  /** Sound events among poisoned ones, all of which must be stored. */
  sound: number;
  refused: Map<string, number>;
  /** Answers that do not fit what was sent, each a defect. */
  wrong: string[];
}

const maxListed = 20;
/** Refusals that are right for a body that cannot be read. */
const rightRefusals: ReadonlySet<string> = new Set(["unreadable_body", "body_too_large", "too_many_events"]);

export async function feedPoison(
  accept: (body: PoisonBody) => Promise<PoisonAnswer>,
  { bodies, seed, lanes }: { bodies: number; seed: number; lanes: number },
): Promise<PoisonBooks> {
  const books: PoisonBooks = {
    bodies: 0,
    accepted: 0,
    duplicates: 0,
    rejected: 0,
    sound: 0,
    refused: new Map(),
    wrong: [],
  };
  const isWrong = (number: number, what: string) => {
    if (books.wrong.length < maxListed) books.wrong.push(`body ${number} of seed ${seed}: ${what}`);
  };
  let next = 0;
  async function lane(): Promise<void> {
    for (let number = next++; number < bodies; number = next++) {
      const poison = poisonBody(number, seed);
      books.bodies++;
      let answer: PoisonAnswer;
      try {
        answer = await accept(poison);
      } catch (error) {
        isWrong(number, String(error));
        continue;
      }
      if ("refused" in answer) {
        books.refused.set(answer.refused, (books.refused.get(answer.refused) ?? 0) + 1);
        if (typeof poison.events === "number")
          isWrong(number, `${poison.events} events were refused: ${answer.refused}`);
        else if (!rightRefusals.has(answer.refused)) isWrong(number, `refused with ${answer.refused}`);
        continue;
      }
      books.accepted += answer.accepted;
      books.duplicates += answer.duplicates;
      books.rejected += answer.rejected;
      books.sound += poison.sound;
      const verdicts = answer.accepted + answer.duplicates + answer.rejected;
      if (poison.events !== "any" && verdicts !== poison.events)
        isWrong(number, `${poison.events ?? "an unreadable body of"} events, ${verdicts} verdicts`);
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane));
  return books;
}
