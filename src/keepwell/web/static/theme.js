// Runs before the page is drawn, so that a dark room stays dark.
(() => {
  const root = document.documentElement;
  if (!root.dataset.bsTheme && matchMedia("(prefers-color-scheme: dark)").matches) root.dataset.bsTheme = "dark";
})();
