/**
 * Answers that are not JSON: a table, lines, a stream. The types of a route know only the JSON of its answers, so here, and
 * nowhere else, an answer passes for any of them.
 */
export function rawAnswer(answer: Response): never {
  return answer as never;
}
