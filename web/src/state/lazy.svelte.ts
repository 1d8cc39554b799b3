/** A component that is loaded when it is first wanted, and kept. */
export class Lazy<Shown> {
  /** Undefined until it is loaded; reactive. */
  current = $state.raw<Shown>();
  readonly #load: () => Promise<{ default: Shown }>;

  constructor(load: () => Promise<{ default: Shown }>) {
    this.#load = load;
  }

  /** What fails to load is shown by the page as a whole, and tried again when it is wanted again. */
  readonly want = (): void => {
    if (this.current) return;
    this.#load().then(
      (module) => {
        this.current = module.default;
      },
      () => {},
    );
  };
}
