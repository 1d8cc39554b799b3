/** Work that waits for a turn of its own, first come, first served. */
export function createExclusiveTurns() {
  const turns: { run: () => Promise<void>; reject: (error: Error) => void }[] = [];
  return {
    isEmpty: () => turns.length === 0,
    /** Ends as `work` does once it had its turn. */
    add: (work: () => Promise<void>) =>
      new Promise<void>((resolve, reject) => {
        turns.push({ run: () => work().then(resolve, reject), reject });
      }),
    /** Never rejects: the error of the work is for who added it. */
    async runNext() {
      await turns.shift()?.run();
    },
    rejectAll(error: Error) {
      for (const { reject } of turns.splice(0)) reject(error);
    },
  };
}
