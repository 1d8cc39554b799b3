import { newId } from "../api/new-id.ts";

/** Makes a press too many, or a second try after a lost answer, create one thing. What the server refused can be tried again. */
export class IdempotentCreate {
  readonly #keys = new Map<string, string>();

  /** `create` is given the same key until it has succeeded once. `thing`: which one, where a page creates several side by side. */
  async run<Made>(create: (idempotencyKey: string) => Promise<Made>, thing = ""): Promise<Made> {
    const key = this.#keys.get(thing) ?? newId();
    this.#keys.set(thing, key);
    const made = await create(key);
    this.#keys.delete(thing);
    return made;
  }
}
