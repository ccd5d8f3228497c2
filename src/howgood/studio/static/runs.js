import { $, post, say, keys } from "./web.js";
import { watch } from "./live.js";

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

if (document.querySelector("table.runs")?.dataset.live) watch(row);
