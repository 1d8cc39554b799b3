// Blocks rendering on purpose: the theme is set before the first paint, so a dark page never flashes white, and rows do not move.
// The content policy forbids inline scripts, hence a file of its own.
(() => {
  const stored = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      // Storage may be denied; what is usual stands then.
      return null;
    }
  };
  // A page that embeds a dashboard chooses for it.
  const asked = location.pathname === "/embed" ? new URLSearchParams(location.search).get("theme") : null;
  const choice = asked ?? stored("tidemark-theme");
  const isDark = choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  document.documentElement.dataset.density = stored("tidemark-density") === "compact" ? "compact" : "roomy";
})();
