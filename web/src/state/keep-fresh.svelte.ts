import type { Loaded } from "./loaded.svelte.ts";

/**
 * Call it while the component is made. Asks again every `everyMs` as long as the component is there, except while
 * `isPaused`, and closes with it.
 */
export function keepFresh(
  read: Pick<Loaded<unknown>, "refresh" | "close">,
  everyMs: number,
  isPaused = () => false,
): void {
  $effect(() => {
    const timer = setInterval(() => {
      if (!isPaused()) read.refresh();
    }, everyMs);
    return () => {
      clearInterval(timer);
      read.close();
    };
  });
}
