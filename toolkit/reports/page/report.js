"use strict";
// The page is complete without this script; it adds the theme switch and the copy buttons. It stands before the page's
// body, so that a page of many cells opens with those in the window; the others follow while the browser is idle.
(() => {
  const root = document.documentElement;
  // Who comes by a link to one cell must arrive there: its place is known once all before it are laid out.
  if (!window.location.hash) root.classList.add("opening");
  const idle = (work) => (window.requestIdleCallback ? window.requestIdleCallback(work) : window.setTimeout(work, 1));
  const follow = (articles) => {
    for (const article of articles.splice(0, 5)) article.classList.add("ready");
    if (articles.length) idle(() => follow(articles));
    else root.classList.remove("opening");
  };
  window.addEventListener("load", () => idle(() => follow(Array.from(document.querySelectorAll("article")))));
  document.addEventListener("DOMContentLoaded", controls);

  function controls() {
    const status = document.getElementById("status");

    const theme = document.getElementById("theme");
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
    const show = () => theme.setAttribute("aria-pressed", String(isDark()));
    theme.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      show();
    });
    system.addEventListener("change", show);
    theme.hidden = false;
    show();

    // A spreadsheet runs what starts like a formula, and names in a report are somebody else's text.
    const plain = /^[+-]?[\d.,]+( ?[\w%µ/]+)*$/;
    const cell = (element) => {
      const text = element.textContent.replace(/\s+/g, " ").trim();
      return /^[=+@-]./.test(text) && !plain.test(text) ? "'" + text : text;
    };
    const tsv = (table) => Array.from(table.rows, (row) => Array.from(row.cells, cell).join("\t")).join("\n") + "\n";

    // Where the clipboard is not open to pages (an old browser, a page that is not trusted).
    const copyByHand = (text) => {
      const area = document.createElement("textarea");
      area.value = text;
      area.setAttribute("readonly", "");
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    };
    const copy = async (text) => {
      try {
        await navigator.clipboard.writeText(text);
        return true;
      } catch {
        return copyByHand(text);
      }
    };

    for (const button of document.querySelectorAll("button.copy")) {
      const words = button.textContent;
      button.hidden = false;
      button.addEventListener("click", async () => {
        const table = button.closest(".copied").querySelector("table");
        const done = await copy(tsv(table));
        button.focus();
        button.textContent = done ? "Copied" : "Not copied";
        status.textContent = done ? `Copied ${table.rows.length} rows.` : "The browser does not allow copying.";
        window.setTimeout(() => {
          button.textContent = words;
        }, 2000);
      });
    }
  }
})();
