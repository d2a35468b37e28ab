// Sets the theme before the first paint. A classic script on purpose: modules run after parsing.
"use strict";
try {
  const theme = localStorage.getItem("centralita.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; then the system's preference decides.
}
