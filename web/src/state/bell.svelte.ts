/**
 * The signed-in person's notifications: the newest, and how many are unread. All of it is pushed over the socket,
 * also what was read on another device.
 */
import type { Notification, NotificationPush, NotificationsRead } from "@contract/notifications.ts";
import { api } from "../api/client.ts";
import { joinSocket, type LiveSocket, leaveSocket } from "../live/socket.ts";
import { Loaded } from "./loaded.svelte.ts";

const shownAtMost = 20;
/** For a push that was lost on its way. */
const refreshMs = 60_000;
const settleMs = 250;

class Bell {
  readonly list = new Loaded<{ notifications: Notification[]; unread: number }>();
  /** Said once to screen readers. */
  announced = $state("");
  /** Grows with each push about alerts: what shows them reads them again. */
  pushes = $state(0);
  #socket: LiveSocket | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #settle: ReturnType<typeof setTimeout> | undefined;

  get unread(): number {
    return this.list.value?.unread ?? 0;
  }

  open(): void {
    this.list.load(async (signal) => await api.listNotifications({ query: { limit: shownAtMost }, signal }));
    this.#socket = joinSocket();
    this.#socket.on("notification:new", this.#take);
    this.#socket.on("notification:read", this.#read);
    this.#socket.on("alerts:changed", this.#change);
    this.#socket.on("connect", this.refresh);
    document.addEventListener("visibilitychange", this.refresh);
    this.#timer = setInterval(this.refresh, refreshMs);
  }

  close(): void {
    this.#socket?.off("notification:new", this.#take);
    this.#socket?.off("notification:read", this.#read);
    this.#socket?.off("alerts:changed", this.#change);
    this.#socket?.off("connect", this.refresh);
    this.#socket = undefined;
    leaveSocket();
    document.removeEventListener("visibilitychange", this.refresh);
    clearInterval(this.#timer);
    clearTimeout(this.#settle);
    this.#settle = undefined;
    this.list.close();
    this.list.value = null;
  }

  readonly refresh = (): void => {
    this.list.refresh();
  };

  readonly #take = ({ unread, ...notification }: NotificationPush): void => {
    const others = (this.list.value?.notifications ?? []).filter(({ id }) => id !== notification.id);
    this.list.value = { notifications: [notification, ...others].slice(0, shownAtMost), unread };
    this.announced = notification.text;
    this.pushes += 1;
  };

  /** On any device of the person. */
  readonly #read = ({ unread }: NotificationsRead): void => {
    if (unread !== this.unread) this.list.reload();
  };

  /** Many alerts that change at once are read again once. */
  readonly #change = (): void => {
    this.#settle ??= setTimeout(() => {
      this.#settle = undefined;
      this.pushes += 1;
    }, settleMs);
  };

  async markAllRead(): Promise<void> {
    await this.#mark({ all: true }, () => true);
  }

  async markRead(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#mark({ ids: [...ids] }, ({ id }) => ids.includes(id));
  }

  /** Whoever looks at an alert has read its notifications. */
  async markAlertRead(alert: string): Promise<void> {
    const { notifications } = await api.listNotifications({ query: { unread: true, limit: 100 } });
    await this.markRead(notifications.filter((one) => one.alert.id === alert).map(({ id }) => id));
  }

  async #mark(which: { all: true } | { ids: string[] }, isMeant: (one: Notification) => boolean): Promise<void> {
    const { unread } = await api.readNotifications({ body: which });
    const read_at = new Date().toISOString();
    const notifications = (this.list.value?.notifications ?? []).map((one) =>
      one.read_at === null && isMeant(one) ? { ...one, read_at } : one,
    );
    this.list.value = { notifications, unread };
  }
}

export const bell = new Bell();
