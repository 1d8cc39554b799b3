import { expect, test } from "vitest";
import { SlowViewers, type Viewer } from "../../../server/live/slow-viewers.ts";

class FakeViewer implements Viewer<number> {
  readonly seen: number[] = [];
  #isReady = true;
  #then: (() => void)[] = [];

  isReady = () => this.#isReady;
  onceReady = (then: () => void) => void this.#then.push(then);
  send = (message: number) => void this.seen.push(message);

  stall(): void {
    this.#isReady = false;
  }

  read(): void {
    this.#isReady = true;
    for (const then of this.#then.splice(0)) then();
  }

  get waiting(): number {
    return this.#then.length;
  }
}

function pushTo(slow: SlowViewers<number>, viewers: readonly FakeViewer[]) {
  return (message: number) => {
    slow.keep(viewers, message);
    for (const viewer of viewers) if (viewer.isReady()) viewer.send(message);
  };
}

test("a viewer that reads slowly gets the newest figures when it reads again, and none in between; others get all", () => {
  const [quick, stalled] = [new FakeViewer(), new FakeViewer()];
  const push = pushTo(new SlowViewers(), [quick, stalled]);
  push(1);
  stalled.stall();
  for (let message = 2; message <= 1_000; message++) push(message);
  expect(stalled.waiting).toBe(1);
  stalled.read();
  push(1_001);
  expect(stalled.seen).toEqual([1, 1_000, 1_001]);
  expect(quick.seen).toHaveLength(1_001);
});

test("a viewer that turned to another node gets nothing of the one before", () => {
  const viewer = new FakeViewer();
  const slow = new SlowViewers<number>();
  viewer.stall();
  pushTo(slow, [viewer])(1);
  slow.forget(viewer);
  viewer.read();
  expect(viewer.seen).toEqual([]);
});
