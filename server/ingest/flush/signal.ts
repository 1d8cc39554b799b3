export interface Signal {
  clear(): void;
  set(): void;
  next(): Promise<void>;
}

/** Something to wait for that cannot be missed: a `set` after `clear` ends the next wait at once. */
export function createSignal(): Signal {
  let isSet = false;
  let resolve: () => void = () => undefined;
  return {
    clear() {
      isSet = false;
    },
    set() {
      isSet = true;
      resolve();
    },
    next: () =>
      new Promise<void>((done) => {
        resolve = done;
        if (isSet) done();
      }),
  };
}
