/** What somebody does with a button: one thing at a time, and what came of it. */
import { type ApiError, asApiError } from "../api/request.ts";

export class Attempt {
  /** What it is done to, such as the id of a row; undefined while nothing is done. */
  busyWith = $state<string>();
  error = $state.raw<ApiError | null>(null);
  /** What was done, in words; empty: nothing yet. */
  said = $state("");

  get isBusy(): boolean {
    return this.busyWith !== undefined;
  }

  /** What is wrong with the field, as the server named it. */
  errorAt(field: string): string | undefined {
    return this.error?.field === field ? this.error.message : undefined;
  }

  async run(act: () => Promise<void>, target = ""): Promise<void> {
    this.busyWith = target;
    this.error = null;
    this.said = "";
    try {
      await act();
    } catch (thrown) {
      this.error = asApiError(thrown);
    }
    this.busyWith = undefined;
  }
}
