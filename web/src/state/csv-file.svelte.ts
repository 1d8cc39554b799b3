import { type ApiError, asApiError } from "../api/request.ts";

/** A file that a page offers: read from the server when it is wanted, then handed to the person as a download. */
export class CsvFile {
  error = $state.raw<ApiError | null>(null);
  isLoading = $state(false);
  readonly #read: () => Promise<Blob>;
  readonly #name: () => string;

  constructor(read: () => Promise<Blob>, name: () => string) {
    this.#read = read;
    this.#name = name;
  }

  readonly save = async (): Promise<void> => {
    this.isLoading = true;
    this.error = null;
    try {
      const address = URL.createObjectURL(await this.#read());
      const link = document.createElement("a");
      link.href = address;
      link.download = this.#name();
      link.click();
      // Some browsers read it only after the click was handled.
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
    } catch (thrown) {
      this.error = asApiError(thrown);
    } finally {
      this.isLoading = false;
    }
  };
}
