import { tick } from "svelte";
import { type ApiError, asApiError } from "../api/request.ts";
import { uiTexts as t } from "../texts/en/ui.ts";

/** The saving of a form: what the server does not take is said at its field, which gets the focus. */
export class FormSave {
  error = $state.raw<ApiError | null>(null);
  isBusy = $state(false);
  /** Bound to the form element. */
  form = $state<HTMLFormElement>();
  /** Whether a field says what is wrong. */
  #isPlaced = $state(false);
  readonly #save: () => Promise<void>;

  /** `save` throws ApiError when it was not saved. */
  constructor(save: () => Promise<void>) {
    this.#save = save;
  }

  /** What went wrong; that somebody else saved meanwhile, where that is it. Undefined while a field says it all. */
  get problem(): string | undefined {
    if (!this.error || this.#isPlaced) return undefined;
    return this.error.code === "precondition_failed" ? t.changedInMeantime : this.error.message;
  }

  /**
   * What is wrong with the field at `path`, as the server named it. `holdsMany`: it stands for several values, any of which
   * may be wrong.
   */
  errorAt(path: string, holdsMany = false): string | undefined {
    const field = this.error?.field?.replace(/^terms\./, "");
    return field === path || (holdsMany && field?.startsWith(`${path}.`)) ? this.error?.message : undefined;
  }

  readonly submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    this.isBusy = true;
    this.error = null;
    this.#isPlaced = false;
    try {
      await this.#save();
    } catch (thrown) {
      this.error = asApiError(thrown);
      await tick();
      const wrong = this.form?.querySelector<HTMLElement>("[aria-invalid=true]");
      this.#isPlaced = Boolean(wrong ?? this.form?.querySelector("[data-wrong]"));
      wrong?.focus();
    }
    this.isBusy = false;
  };
}
