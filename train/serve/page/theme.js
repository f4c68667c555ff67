// Before anything is drawn: the theme that the user chose last.
try {
  const chosen = localStorage.getItem("trainer-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch { /* storage may be switched off */ }
