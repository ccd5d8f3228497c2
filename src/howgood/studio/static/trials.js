import { $, follow, keys } from "./web.js";

// Moving through the rows

const links = [...document.querySelectorAll(".trials td.id a")];
let at = -1;
const move = (by) => () => {
  const next = Math.min(links.length - 1, Math.max(0, at + by));
  if (!links.length || next === at) return false; // at an end the page scrolls
  at = next;
  links[at].focus();
  links[at].closest("tr").scrollIntoView({ block: "nearest" });
  return true;
};
document.querySelector(".trials")?.addEventListener("focusin", (event) => {
  const place = links.indexOf(event.target);
  if (place >= 0) at = place;
});
keys({
  j: move(1),
  k: move(-1),
  ArrowDown: move(1),
  ArrowUp: move(-1),
  ArrowRight: follow("a[rel=next]"),
  ArrowLeft: follow("a[rel=prev]"),
  u: follow(".eyebrow a"),
});

// A press anywhere in a row opens it, unless words were being chosen

for (const row of document.querySelectorAll(".trials tbody tr")) {
  row.addEventListener("click", (event) => {
    if (event.target.closest("a") || String(getSelection())) return;
    const link = row.querySelector("td.id a");
    if (event.ctrlKey || event.metaKey) window.open(link.href, "_blank", "noopener");
    else link.click();
  });
}

// "Scored lower than there" means something only beside another run

const beside = document.querySelector("select[name=with]");
const differ = document.querySelector("select[name=differ]");
const allow = () => {
  differ.disabled = !beside.value;
};
if (beside) {
  beside.addEventListener("change", allow);
  allow();
}

// How many there are, where counting means searching every text once more

const counted = $("counted");
if (counted?.dataset.count) {
  const told = counted.textContent;
  fetch(counted.dataset.count, { credentials: "same-origin" })
    .then((response) => (response.ok ? response.json() : Promise.reject(new Error())))
    .then(({ n }) => {
      counted.textContent = told.replace("Some", new Intl.NumberFormat("en").format(n));
    })
    .catch(() => {});
}
