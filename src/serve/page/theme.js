// Which colours. Runs before the first paint, so that a page in the other theme never flashes; hence no module.

(() => {
  const KEY = "rag.theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const kept = localStorage.getItem(KEY);
  if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const tell = () => button.setAttribute("aria-pressed", String(isDark()));
    button.addEventListener("click", () => {
      const next = isDark() ? "light" : "dark";
      // Back to what the system wants is no choice to keep.
      if ((next === "dark") === system.matches) {
        delete root.dataset.theme;
        localStorage.removeItem(KEY);
      } else {
        root.dataset.theme = next;
        localStorage.setItem(KEY, next);
      }
      tell();
    });
    system.addEventListener("change", tell);
    tell();
  });
})();
