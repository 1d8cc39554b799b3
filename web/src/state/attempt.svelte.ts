/** What somebody does with a button: one thing at a time, and what came of it. */
import { type ApiError, asApiError } from "../api/request.ts";

export class Attempt {
  isBusy = $state(false);
  error = $state.raw<ApiError | null>(null);
  /** What was done, in words; empty: nothing yet. */
  said = $state("");

  async run(act: () => Promise<void>): Promise<void> {
    this.isBusy = true;
    this.error = null;
    this.said = "";
    try {
      await act();
    } catch (thrown) {
      this.error = asApiError(thrown);
    }
    this.isBusy = false;
  }
}
