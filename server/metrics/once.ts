/** What one question reads again and again, read once. */
interface Answers<Answer> {
  answer?: Promise<Answer>;
  next: Map<unknown, Answers<Answer>>;
}

/** Reads the same once, and the answer is everybody's; an object is the same only as itself. */
export function once<Args extends unknown[], Answer>(
  read: (...args: Args) => Promise<Answer>,
): (...args: Args) => Promise<Answer> {
  const root: Answers<Answer> = { next: new Map() };
  return function readOnce(...args) {
    let at = root;
    for (const arg of args) {
      const next = at.next.get(arg) ?? { next: new Map() };
      at.next.set(arg, next);
      at = next;
    }
    at.answer ??= read(...args);
    return at.answer;
  };
}
