/** A screen on a wall, where nobody presses anything: it stays lit, and takes a newer release by itself. */
import { release } from "../state/release.svelte.ts";

const askEveryMs = 5 * 60_000;
/** While servers of two releases answer in turn, a page that follows each of them would never be still. */
const reloadEveryMs = 10 * 60_000;
const reloadedAtKey = "tidemark-wall-reloaded-at";

/** Until the function that it returns is called. */
export function keepWall(): () => void {
  let lock: WakeLockSentinel | undefined;
  let isOver = false;
  // The browser takes the lock away with the page's visibility; where it has none, the screen is the owner's to keep lit.
  const stayLit = async () => {
    if (document.hidden || isOver || (lock && !lock.released)) return;
    lock = await navigator.wakeLock?.request("screen").catch(() => undefined);
    if (isOver) await lock?.release();
  };
  const onvisible = () => void stayLit();
  document.addEventListener("visibilitychange", onvisible);
  const timer = setInterval(() => {
    void stayLit();
    void takeNewRelease();
  }, askEveryMs);
  void stayLit();
  return () => {
    isOver = true;
    document.removeEventListener("visibilitychange", onvisible);
    clearInterval(timer);
    void lock?.release();
  };
}

/** Loads the page anew where the server that answers has another one. */
export async function takeNewRelease(): Promise<void> {
  const hasAnswered = await release.ask();
  if (!hasAnswered || release.state === "current") return;
  if (Date.now() - reloadedAtMs() < reloadEveryMs) return;
  try {
    sessionStorage.setItem(reloadedAtKey, String(Date.now()));
  } catch {
    // Storage may be denied: then the next release is noticed by who looks at the wall.
    return;
  }
  location.reload();
}

function reloadedAtMs(): number {
  try {
    return Number(sessionStorage.getItem(reloadedAtKey) ?? 0);
  } catch {
    return 0;
  }
}
