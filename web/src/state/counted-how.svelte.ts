/** The figure of which somebody asked how it is counted. */
import type { Filter } from "@contract/usage-question.ts";

export interface AskedFigure {
  meter: string;
  /** The caller's own when undefined. */
  node: string | undefined;
  from: string;
  to: string;
  tz: string;
  filters?: readonly Filter[] | undefined;
}

class CountedHow {
  figure = $state.raw<AskedFigure | null>(null);
  isOpen = $state(false);

  ask(figure: AskedFigure): void {
    this.figure = figure;
    this.isOpen = true;
  }
}

export const countedHow = new CountedHow();
