/**
 * Keeps the live figures of one node as reactive state: a snapshot when the socket connects, then every change, and a
 * new snapshot after a lost connection or a gap in the sequence. Pushes are applied once per frame.
 */
import type { LiveChanged, LiveLevels, LiveRoom, LiveSnapshot, WatchResult } from "@contract/live.ts";
import { maxRooms, usualRooms } from "@contract/live-rooms.ts";
import { api } from "../api/client.ts";
import { classifyPush, type LiveState, liveState } from "./live-status.ts";
import { beginWatch, endWatch, joinSocket, type LiveSocket, leaveSocket } from "./socket.ts";

interface LiveSample {
  /** When this page received it, ms since 1970. */
  receivedAtMs: number;
  levels: LiveLevels;
}

/** An hour of pushes, one every 5 s, and room for busier minutes. */
const maxSamples = 1_200;
const sampleSpanMs = 30 * 60_000;
/** Rooms come by request: at most one in this time, however often the levels change. */
const roomsEveryMs = 2_000;
/** More of them than are pushed are read from storage. */
const manyRoomsEveryMs = 10_000;
const watchTimeoutMs = 8_000;
const refusedRetryMs = 2_000;
/** A page that nobody has looked at for this long is sent nothing, until it is looked at again. */
const hiddenAfterMs = 15_000;
/** Refusals that say "not now", not "never". */
const passingRefusals = new Set(["too_fast", "superseded"]);

export class LiveFeed {
  levels = $state<LiveLevels | null>(null);
  rooms = $state.raw<LiveRoom[]>([]);
  samples = $state.raw<LiveSample[]>([]);
  /** The instant the figures stand for, by the server's clock. */
  at = $state<string | null>(null);
  /** Up to when every accepted event is in them, by the server's clock. */
  watermark = $state<string | null>(null);
  isPaused = $state(false);
  /** Why the server refused to show this node, if it did. */
  refusal = $state<string | null>(null);
  now = $state(Date.now());
  /** The moment that the view shows: the present, or that of the pause. */
  readonly shownMs = $derived.by(() => (this.isPaused ? this.#pausedAtMs : this.now));
  #pausedAtMs = $state(0);
  #isConnected = $state(false);
  readonly #openedAtMs = Date.now();
  #receivedAtMs = $state<number | null>(null);

  readonly state: LiveState = $derived(
    liveState({
      isConnected: this.#isConnected,
      isPaused: this.isPaused,
      openedAtMs: this.#openedAtMs,
      receivedAtMs: this.#receivedAtMs,
      nowMs: this.now,
    }),
  );
  /** Since the figures were received; null before the first. Never negative. */
  readonly ageMs = $derived(this.#receivedAtMs === null ? null : Math.max(0, this.now - this.#receivedAtMs));

  #node: string | undefined;
  #socket: LiveSocket | undefined;
  #sequence: number | null = null;
  #watch = 0;
  #waiting: LiveChanged | LiveSnapshot | undefined;
  #frame = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #clock: ReturnType<typeof setInterval> | undefined;
  #roomsTimer: ReturnType<typeof setTimeout> | undefined;
  #roomsReadAtMs = 0;
  #roomsRequest: AbortController | undefined;
  #hiddenTimer: ReturnType<typeof setTimeout> | undefined;
  #isAsleep = false;

  readonly #onconnect = () => {
    this.#isConnected = true;
    this.#resync();
  };
  readonly #ondisconnect = () => {
    this.#isConnected = false;
    this.#sequence = null;
  };
  readonly #onvisibility = () => {
    clearTimeout(this.#hiddenTimer);
    if (document.hidden) this.#hiddenTimer = setTimeout(() => this.#sleep(), hiddenAfterMs);
    else if (this.#isAsleep) this.#wake();
  };
  readonly #onchange = (change: LiveChanged) => this.#takeChange(change);

  /** Shows `node` (the caller's own when undefined) until `close`. */
  constructor(node: string | undefined) {
    this.#node = node;
  }

  open(): void {
    this.#clock = setInterval(() => {
      this.now = Date.now();
    }, 1_000);
    const socket = joinSocket();
    this.#socket = socket;
    beginWatch();
    socket.on("connect", this.#onconnect);
    socket.on("disconnect", this.#ondisconnect);
    socket.on("live:changed", this.#onchange);
    document.addEventListener("visibilitychange", this.#onvisibility);
    if (socket.connected) this.#onconnect();
  }

  close(): void {
    this.#watch += 1;
    this.#socket?.off("connect", this.#onconnect);
    this.#socket?.off("disconnect", this.#ondisconnect);
    this.#socket?.off("live:changed", this.#onchange);
    this.#socket = undefined;
    document.removeEventListener("visibilitychange", this.#onvisibility);
    clearTimeout(this.#hiddenTimer);
    if (!this.#isAsleep) endWatch();
    leaveSocket();
    clearTimeout(this.#retryTimer);
    clearInterval(this.#clock);
    clearTimeout(this.#roomsTimer);
    cancelAnimationFrame(this.#frame);
    this.#roomsRequest?.abort();
  }

  /** A paused view keeps its figures; resuming asks for the present ones instead of replaying what was missed. */
  setPaused(isPaused: boolean): void {
    this.#pausedAtMs = Date.now();
    this.isPaused = isPaused;
    if (!isPaused) this.#resync();
  }

  #sleep(): void {
    this.#isAsleep = true;
    this.#watch += 1;
    this.#sequence = null;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#roomsTimer);
    this.#roomsTimer = undefined;
    endWatch();
  }

  #wake(): void {
    this.#isAsleep = false;
    beginWatch();
    this.#resync();
  }

  #resync(): void {
    const socket = this.#socket;
    if (!socket?.connected || this.#isAsleep) return;
    this.#watch += 1;
    const watch = this.#watch;
    this.#sequence = null;
    socket
      .timeout(watchTimeoutMs)
      .emitWithAck("live:watch", this.#node ?? null)
      .then(
        (result: WatchResult) => {
          if (watch !== this.#watch) return;
          if (result.ok) {
            this.refusal = null;
            this.#takeSnapshot(result.snapshot);
          } else if (passingRefusals.has(result.code)) {
            this.#retryTimer = setTimeout(() => this.#resync(), refusedRetryMs);
          } else this.refusal = result.message;
        },
        // No answer in time: asked again while the connection lasts, and by the next connection when it does not.
        () => {
          if (watch === this.#watch) this.#resync();
        },
      );
  }

  #takeSnapshot(snapshot: LiveSnapshot): void {
    this.#sequence = snapshot.sequence;
    this.#show(snapshot);
  }

  #takeChange(change: LiveChanged): void {
    const verdict = classifyPush(this.#sequence, change.sequence);
    if (verdict === "resync") this.#resync();
    if (verdict !== "apply") return;
    this.#sequence = change.sequence;
    this.#show(change);
  }

  #show(figures: LiveChanged | LiveSnapshot): void {
    if (this.isPaused) return;
    this.#waiting = figures;
    // A hidden page gets no frames; its figures are drawn when it is looked at again.
    if (document.hidden) this.#draw();
    else if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#frame = 0;
    const figures = this.#waiting;
    if (!figures || this.isPaused) return;
    this.#waiting = undefined;
    const receivedAtMs = Date.now();
    const isMoved = JSON.stringify(this.levels) !== JSON.stringify(figures.levels);
    this.levels = figures.levels;
    this.at = figures.at;
    this.watermark = figures.watermark;
    this.now = receivedAtMs;
    this.#receivedAtMs = receivedAtMs;
    this.samples = [...this.samples, { receivedAtMs, levels: figures.levels }]
      .filter((sample) => sample.receivedAtMs > receivedAtMs - sampleSpanMs)
      .slice(-maxSamples);
    const isMany = figures.levels.live_sessions > usualRooms;
    if ("rooms" in figures && !(isMany && this.rooms.length > usualRooms)) {
      this.rooms = figures.rooms;
      this.#roomsReadAtMs = isMany ? 0 : receivedAtMs;
      if (isMany) this.#readRoomsSoon();
    } else if (isMoved || receivedAtMs - this.#roomsReadAtMs > 15_000) this.#readRoomsSoon();
  }

  #readRoomsSoon(): void {
    if (this.#roomsTimer !== undefined) return;
    const isMany = (this.levels?.live_sessions ?? 0) > usualRooms;
    const waitMs = Math.max(0, this.#roomsReadAtMs + (isMany ? manyRoomsEveryMs : roomsEveryMs) - Date.now());
    this.#roomsTimer = setTimeout(() => {
      this.#roomsTimer = undefined;
      this.#roomsReadAtMs = Date.now();
      this.#roomsRequest?.abort();
      this.#roomsRequest = new AbortController();
      const query = { node: this.#node, rooms: isMany ? maxRooms : usualRooms };
      api.getLive({ query, signal: this.#roomsRequest.signal }).then(
        (answer) => {
          if (!this.isPaused) this.rooms = answer.rooms;
        },
        // The list shown stays; the next change, or the next snapshot, brings a newer one.
        () => {},
      );
    }, waitMs);
  }
}
