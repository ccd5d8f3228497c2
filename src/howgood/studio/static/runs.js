import { $, post, say, keys } from "./studio.js";

const form = $("chosen");
const rows = [...document.querySelectorAll("tr[data-run]")];
const row = (run) => rows.find((one) => one.dataset.run === run);

// Choosing runs

const count = () => {
  const chosen = form.querySelectorAll("input[name=run]:checked").length;
  form.querySelector(".chosen").hidden = !chosen;
  $("count").textContent = `${chosen} run${chosen === 1 ? "" : "s"} chosen`;
};
if (form) {
  form.addEventListener("change", count);
  count();
}

// Tags

let tagged = null;
for (const button of document.querySelectorAll(".tagging")) {
  button.addEventListener("click", () => {
    tagged = button.closest("tr").dataset.run;
    $("tags").value = button.dataset.tags;
    say("");
    $("tagging").showModal();
  });
}
$("leave")?.addEventListener("click", () => $("tagging").close());
$("tagging").querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await post(`/runs/${encodeURIComponent(tagged)}/tags`, { tags: $("tags").value.split(/\s+/).filter(Boolean) });
    location.reload();
  } catch (error) {
    say(error.message);
  }
});

// Moving through the rows

let at = -1;
const move = (by) => () => {
  if (!rows.length) return false;
  at = Math.min(rows.length - 1, Math.max(0, at + by));
  rows[at].querySelector("a").focus();
  return true;
};
keys({
  j: move(1),
  k: move(-1),
  ArrowDown: move(1),
  ArrowUp: move(-1),
  x: () => {
    if (at < 0) return false;
    rows[at].querySelector("input[name=run]").click();
    return true;
  },
});

// Runs that are still running

const number = new Intl.NumberFormat("en");
const money = (dollars) => (dollars === null ? "cost unknown" : `$${dollars.toFixed(dollars < 1 ? 4 : 2)}`);
const time = (seconds) => {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
};

if (document.querySelector("table.runs")?.dataset.live) {
  const source = new EventSource("/runs/live");
  source.addEventListener("message", (message) => {
    const told = JSON.parse(message.data);
    const place = row(told.run);
    if (!place) return;
    if (told.type === "ended") {
      location.reload();
      return;
    }
    const bar = place.querySelector("progress");
    if (!bar) return;
    bar.max = told.planned;
    bar.value = told.done;
    const parts = [`${number.format(told.done)} of ${number.format(told.planned)}`];
    if (told.rate) parts.push(`${told.rate.toPrecision(2)} a second`);
    parts.push(`${money(told.cost)} so far`);
    if (told.left !== null) parts.push(`${time(told.left)} left`);
    if (told.total !== null && told.done < told.planned) parts.push(`about ${money(told.total)} in all`);
    if (told.silent > 60) parts.push(`nothing written for ${time(told.silent)}: it may have been stopped`);
    place.querySelector(".standing").textContent = parts.join(", ");
  });
}
