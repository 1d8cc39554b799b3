// Blocks rendering on purpose: the theme is set before the first paint, so a dark page never flashes white.
// The content policy forbids inline scripts, hence a file of its own.
(() => {
  let choice = "system";
  try {
    choice = localStorage.getItem("tidemark-theme") ?? "system";
  } catch {
    // Storage may be denied; the system's theme stands then.
  }
  const isDark = choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
})();
