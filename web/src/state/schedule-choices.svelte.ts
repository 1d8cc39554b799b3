/** What the form of a schedule offers to choose from, beside nodes. */

import type { Channel, ChannelList } from "@contract/channels.ts";
import type { Report, ReportList } from "@contract/reports.ts";
import { api } from "../api/client.ts";
import { Loaded } from "./loaded.svelte.ts";

/** More are not looked through in a form. */
const offeredAtMost = 1_000;

export class ScheduleChoices {
  readonly #channels = new Loaded<ChannelList>();
  readonly #reports = new Loaded<ReportList>();

  /** `node`: of which reports are to be sent; the caller's own when undefined. */
  open(node?: string): void {
    this.#channels.load((signal) => api.listChannels({ query: { limit: offeredAtMost }, signal }));
    this.#reports.load((signal) => api.listReports({ query: { node, limit: offeredAtMost }, signal }));
  }

  close(): void {
    this.#channels.close();
    this.#reports.close();
  }

  get channels(): readonly Channel[] | undefined {
    return this.#channels.value?.channels;
  }

  /** The standard ones that the caller may see there, then those that were made. */
  get reports(): readonly Report[] {
    return [...(this.#reports.value?.standard ?? []), ...(this.#reports.value?.reports ?? [])];
  }
}
