
"use strict";
// Adds to a page that is whole without it: tables that sort and search, commands that copy themselves.
const value = cell => { const text = cell.textContent; const n = Number(text.replaceAll(",", "")); return text && !isNaN(n) ? n : text; };
const compare = (a, b) => typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  if (rows.length < 2) continue;
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach(one => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sorted = [...rows].sort((a, b) => compare(value(a.cells[place]), value(b.cells[place])));
      body.append(...(down ? sorted.reverse() : sorted));
    });
  });
  if (rows.length < 6) continue;
  const search = document.createElement("input");
  search.type = "search";
  search.placeholder = "Search these rows";
  search.setAttribute("aria-label", "Search the rows of: " + table.parentElement.getAttribute("aria-label"));
  search.addEventListener("input", () => {
    const wanted = search.value.toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
  table.parentElement.before(search);
}
for (const command of document.querySelectorAll("pre.command")) {
  const button = document.createElement("button");
  const code = command.querySelector("code");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(code);
    try { await navigator.clipboard.writeText(code.textContent); button.textContent = "Copied"; }
    catch { button.textContent = "Selected"; }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  command.prepend(button);
}
addEventListener("beforeprint", () => { for (const one of document.querySelectorAll("details")) one.open = true; });
