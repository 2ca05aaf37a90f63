// Sorts the table by the column whose heading is clicked: upwards, and downwards by another click.
"use strict";
(() => {
  const body = document.querySelector("tbody");
  const headings = [...document.querySelectorAll("th")];
  const order = new Intl.Collator(undefined, { numeric: true }); // 2:05 before 10:00, 0.3 before 0.31

  function sort(column) {
    const down = headings[column].getAttribute("aria-sort") === "ascending";
    for (const heading of headings) heading.removeAttribute("aria-sort");
    headings[column].setAttribute("aria-sort", down ? "descending" : "ascending");
    const text = (row) => row.cells[column].textContent;
    const number = (row) => Number(text(row));
    const numbers = [...body.rows].every((row) => !Number.isNaN(number(row)));
    const compare = numbers ? (a, b) => number(a) - number(b) : (a, b) => order.compare(text(a), text(b));
    body.append(...[...body.rows].sort((a, b) => (down ? compare(b, a) : compare(a, b))));
  }

  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(column));
    heading.append(button);
  });
})();
