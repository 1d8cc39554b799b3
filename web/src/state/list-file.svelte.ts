/** What a page shows, as a file: read from the server when it is wanted, with all rows, then handed over as a download. */
import { type ApiError, asApiError } from "../api/request.ts";
import { saveFile } from "./save-file.ts";

export type FileForm = "csv" | "xlsx" | "ndjson" | "json";

const mediaTypes: Record<FileForm, string> = {
  csv: "text/csv",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  ndjson: "application/x-ndjson",
  json: "application/json",
};

export class ListFile {
  error = $state.raw<ApiError | null>(null);
  isLoading = $state(false);
  readonly forms: readonly FileForm[];
  readonly #read: (mediaType: string) => Promise<Blob>;
  readonly #name: () => string;
  #last: FileForm | undefined;

  /** `name`: without its ending. */
  constructor(forms: readonly FileForm[], read: (mediaType: string) => Promise<Blob>, name: () => string) {
    this.forms = forms;
    this.#read = read;
    this.#name = name;
  }

  async save(form: FileForm): Promise<void> {
    this.#last = form;
    this.isLoading = true;
    this.error = null;
    try {
      saveFile(await this.#read(mediaTypes[form]), `${this.#name()}.${form}`);
    } catch (thrown) {
      this.error = asApiError(thrown);
    } finally {
      this.isLoading = false;
    }
  }

  /** The same once more. */
  readonly retry = (): void => {
    void this.save(this.#last ?? "csv");
  };
}
