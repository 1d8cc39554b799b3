/** The instant that is pointed at, one for all charts of a page: each shows its own window that has it. */
class Crosshair {
  /** Ms since 1970; null where nothing is pointed at. */
  atMs = $state<number | null>(null);
  /** It stays where the pointer leaves. */
  isPinned = $state(false);
  /** The chart that it was pointed at in, which shows the values beside it; the others only mark it. */
  owner = $state<string>();

  pointAt(atMs: number, owner: string): void {
    if (this.isPinned) return;
    this.atMs = atMs;
    this.owner = owner;
  }

  leave(): void {
    if (!this.isPinned) this.atMs = null;
  }

  /** Pins it there, or frees it where it is pinned already. */
  pin(atMs: number, owner: string): void {
    const isThere = this.isPinned && this.atMs === atMs && this.owner === owner;
    this.isPinned = !isThere;
    this.atMs = atMs;
    this.owner = owner;
  }

  /** Goes there, pinned as it is. */
  moveTo(atMs: number, owner: string): void {
    this.atMs = atMs;
    this.owner = owner;
  }

  clear(): void {
    this.isPinned = false;
    this.atMs = null;
  }
}

export const crosshair = new Crosshair();
