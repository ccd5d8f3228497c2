import { $, post, say, keys, follow } from "./web.js";

// How texts are shown: kept while one steps through a run.

const trial = document.querySelector(".trial");
const buttons = [...document.querySelectorAll("[data-show]")];
const KEPT = "howgood-view";

const known = (view) => buttons.some((button) => button.dataset.show === view);
const show = (view, keep = true) => {
  trial.dataset.view = view;
  for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.show === view));
  if (keep) sessionStorage.setItem(KEPT, view);
};
const kept = sessionStorage.getItem(KEPT);
show(known(kept) ? kept : trial.dataset.view, false);
for (const button of buttons) button.addEventListener("click", () => show(button.dataset.show));
const either = (view, other) => () => {
  if (!known(view)) return false;
  show(trial.dataset.view !== view ? view : known(other) ? other : "raw");
  return true;
};

// Notes

const form = $("noting");
const NAME = "howgood-name";
form.author.value = localStorage.getItem(NAME) ?? "";

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const kind = event.submitter?.value ?? "comment";
  localStorage.setItem(NAME, form.author.value);
  try {
    await post(form.dataset.to, { kind, author: form.author.value, text: form.text.value });
    location.reload();
  } catch (error) {
    say(error.message);
  }
});
const go = (field) => () => {
  (form.author.value ? field : form.author).focus();
  return true;
};

// Copies

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy ? $(button.dataset.copy).textContent : location.href);
    button.textContent = "copied";
  });
}

keys({
  ArrowLeft: follow("a[rel=prev]"),
  ArrowRight: follow("a[rel=next]"),
  u: follow("#all"),
  r: either("raw", "rendered"),
  d: either("change", "rendered"),
  f: () => {
    if (!form.author.value) return go(form.author)();
    form.requestSubmit(form.querySelector("button[value$=flag]"));
    return true;
  },
  c: go(form.text),
  l: go(form.text),
});
