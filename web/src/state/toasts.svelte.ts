/** What just happened, said at the foot of the page for a while; with a way to undo it, until somebody dismisses it. */
import { uiTexts as t } from "../texts/en/ui.ts";

interface Toast {
  id: number;
  text: string;
  undo?: () => Promise<void>;
}

const shownMs = 6_000;

class Toasts {
  shown = $state.raw<readonly Toast[]>([]);
  #last = 0;

  say(text: string, undo?: () => Promise<void>): void {
    const id = ++this.#last;
    // Two at once are as many as anybody reads.
    this.shown = [...this.shown.slice(-1), { id, text, undo }];
    if (!undo) setTimeout(() => this.dismiss(id), shownMs);
  }

  dismiss(id: number): void {
    this.shown = this.shown.filter((one) => one.id !== id);
  }

  async undo({ id, undo }: Toast): Promise<void> {
    this.dismiss(id);
    await undo?.().catch(() => this.say(t.couldNotBeUndone));
  }
}

export const toasts = new Toasts();
