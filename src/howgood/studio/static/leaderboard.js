import { $, keys } from "./web.js";

const form = $("weights");
const sliders = form ? [...form.querySelectorAll("input[type=range]")] : [];
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Where each system's row stands now. */
const places = () =>
  new Map(
    [...document.querySelectorAll("#standing tr[data-system]")].map((row) => [
      row.dataset.system,
      row.getBoundingClientRect().top,
    ]),
  );

/** Rows glide from where they were to where they are. */
function glide(before) {
  if (calm.matches) return;
  for (const row of document.querySelectorAll("#standing tr[data-system]")) {
    const from = before.get(row.dataset.system);
    const by = from === undefined ? 0 : from - row.getBoundingClientRect().top;
    if (by) row.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], { duration: 250, easing: "ease-out" });
  }
}

/** The form as an address, short: what has no weight is left out, unless nothing has any. */
function address() {
  const all = [...new FormData(form)];
  const kept = all.filter(([name, value]) => name === "run" || Number(value));
  const some = kept.some(([name]) => name !== "run");
  return `${form.action}?${new URLSearchParams(some ? kept : all)}`;
}

let under_way = null;
async function rank() {
  under_way?.abort();
  under_way = new AbortController();
  const wanted = address();
  try {
    const response = await fetch(wanted, { headers: { Accept: "text/html" }, signal: under_way.signal });
    if (!response.ok) throw new Error();
    // The server's own page, in which every text is escaped; what is parsed this way runs nothing.
    const made = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("standing");
    const before = places();
    $("standing").replaceWith(document.adoptNode(made));
    glide(before);
    history.replaceState(null, "", wanted);
  } catch (error) {
    if (error.name !== "AbortError") form.submit();
  }
}

let soon = 0;
form?.addEventListener("input", (event) => {
  const slider = event.target;
  form.querySelector(`output[for="${slider.id}"]`).textContent = String(Number(slider.value));
  clearTimeout(soon);
  soon = setTimeout(rank, 120);
});
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  rank();
});

// The keys of web.js are silent in fields; a slider is one that nothing is typed into.
let at = -1;
const move = (by) => () => {
  if (!sliders.length) return false;
  at = Math.min(sliders.length - 1, Math.max(0, at + by));
  sliders[at].focus();
  return true;
};
keys({ j: move(1), k: move(-1) });
