/**
 * Whether this page can go on: a part of it that did not load, which is a click that does nothing, or a newer release on the
 * server, of which older parts are gone.
 */
import { request } from "../api/request.ts";

/** Asked when somebody comes back to the page, at most this often. */
const askEveryMs = 5 * 60_000;
/** A part that fails to load longer after a click was not asked for by it. */
const clickCountsMs = 30_000;

class Release {
  state = $state<"current" | "newer" | "failed">("current");
  #own: string | undefined;
  #askedAtMs = Date.now();
  #clicked: { href: string; atMs: number } | undefined;

  /** Call once. */
  watch(): () => void {
    this.#own = document.querySelector<HTMLScriptElement>("script[type=module][src]")?.getAttribute("src") ?? undefined;
    const onclick = ({ target }: MouseEvent) => {
      const link = target instanceof Element ? target.closest<HTMLAnchorElement>("a[href]") : null;
      if (link?.origin === location.origin) this.#clicked = { href: link.href, atMs: Date.now() };
    };
    const onfailure = () => {
      this.state = "failed";
      void this.ask();
    };
    const onvisible = () => {
      if (!document.hidden && Date.now() - this.#askedAtMs > askEveryMs) void this.ask();
    };
    window.addEventListener("vite:preloadError", onfailure);
    document.addEventListener("click", onclick, { capture: true });
    document.addEventListener("visibilitychange", onvisible);
    return () => {
      window.removeEventListener("vite:preloadError", onfailure);
      document.removeEventListener("click", onclick, { capture: true });
      document.removeEventListener("visibilitychange", onvisible);
    };
  }

  /** Finds out whether the server's page begins with another script than this one did. False: the server did not answer. */
  async ask(): Promise<boolean> {
    if (this.#own === undefined) return false;
    this.#askedAtMs = Date.now();
    const page = await request("GET", "/index.html", { accept: "text/html" }).then(
      (response) => response.text(),
      () => undefined,
    );
    if (page !== undefined && !page.includes(this.#own)) this.state = "newer";
    return page !== undefined;
  }

  /** Loads the page anew, at the place that was clicked when that failed. */
  reload(): void {
    const { href, atMs } = this.#clicked ?? { href: location.href, atMs: 0 };
    if (this.state !== "current" && Date.now() - atMs < clickCountsMs && href !== location.href) location.assign(href);
    else location.reload();
  }
}

export const release = new Release();
