import { $, keys, post, say } from "./web.js";

const NAME = "howgood-name"; // in this browser, shared with what else asks for it
const work = $("work");
const { n, kind } = work.dataset;
const address = location.pathname;
let name = localStorage.getItem(NAME) ?? "";
let ahead = []; // trials that are still to be labelled
let past = []; // trials that were labelled on this page, the last one at the end
let now = null;
let begun = 0;
let [labelled, total] = [0, 0];
let busy = false;

// What is shown

const text = (words, tag = "p", kind = "") => {
  const made = document.createElement(tag);
  made.textContent = words;
  made.className = kind;
  made.dir = "auto";
  return made;
};

const show = () => {
  $("bar").max = total;
  $("bar").value = labelled;
  $("count").textContent = `${labelled} of ${total}`;
  $("as").textContent = name;
  $("undo").disabled = !past.length;
  const over = now === null;
  for (const id of ["trial", "choices", "skip"]) $(id).hidden = over;
  if ($("grading")) $("grading").hidden = over;
  $("done").hidden = !over;
  if (over) return;
  $("question").replaceChildren(
    ...now.question.flatMap(([role, words]) => (role ? [text(role, "p", "role"), text(words)] : [text(words)])),
  );
  $("answers").replaceChildren(
    ...now.answers.map((words, place) => {
      const side = document.createElement("section");
      side.className = "side";
      const answer = text(words, "div", "answer");
      answer.tabIndex = 0;
      answer.setAttribute("aria-label", "Answer");
      side.append(text(now.answers.length > 1 ? `Answer ${place + 1}` : "Answer", "h2"), answer);
      return side;
    }),
  );
  $("target").hidden = now.target === null;
  $("target-text").textContent = now.target ?? "";
  for (const button of $("choices").children) button.setAttribute("aria-pressed", String(now.said === button.dataset.said));
  if ($("grade")) $("grade").value = typeof now.said === "number" ? now.said : "";
  begun = performance.now();
};

const more = async () => {
  const asked = new URLSearchParams({ annotator: name, n });
  const response = await fetch(`${address}/items?${asked}`, { credentials: "same-origin" }).catch(() => null);
  if (!response) throw new Error("The server does not answer. Is it still running?");
  const told = await response.json();
  if (!response.ok) throw new Error(told.error);
  [labelled, total] = [told.labelled, told.total];
  ahead = told.items;
};

const step = async () => {
  if (!ahead.length) await more();
  now = ahead.shift() ?? null;
  show();
};

// What is said

const words = (said) => ({ skip: "skipped", right: "right", wrong: "wrong", tie: "a tie" })[said] ?? (kind === "preference" ? `${said} is better` : said);

const give = async (said) => {
  if (busy || !now) return false;
  busy = true;
  say("");
  try {
    const seconds = (performance.now() - begun) / 1000;
    await post(address, { annotator: name, id: now.id, epoch: now.epoch, said, seconds });
    if (now.said === undefined) labelled += 1;
    now.said = typeof said === "number" && $("choices").children.length ? String(said) : said;
    past.push(now);
    $("last").textContent = `The one before: ${words(said)}.`;
    await step();
  } catch (error) {
    say(error.message);
  }
  busy = false;
  return true;
};

const back = () => {
  if (busy || !past.length) return false;
  if (now) ahead.unshift(now);
  now = past.pop();
  $("last").textContent = `Labelled before: ${words(now.said)}. A new label takes its place.`;
  show();
  return true;
};

const value = (button) => (kind === "grade" ? Number(button.dataset.said) : button.dataset.said);
for (const button of $("choices").children) button.addEventListener("click", () => give(value(button)));
$("skip").addEventListener("click", () => give("skip"));
$("undo").addEventListener("click", back);
$("grading")?.addEventListener("submit", (event) => {
  event.preventDefault();
  give(Number($("grade").value));
});

const said = (wanted) => () => {
  const button = [...$("choices").children].find((one) => one.dataset.said === wanted);
  if (!button || !now) return false;
  give(value(button));
  return true;
};
const digits = Object.fromEntries([..."0123456789"].map((digit) => [digit, said(digit)]));
if (kind === "grade") {
  const zero = digits[0];
  digits[0] = () => zero() || said("10")();
}
keys({ ...(kind === "right" ? {} : digits), y: said("right"), n: said("wrong"), t: said("tie"), s: () => now !== null && give("skip"), u: back });

// Who labels

const begin = async () => {
  $("who").hidden = Boolean(name);
  work.hidden = true;
  if (!name) {
    $("name").focus();
    return;
  }
  [ahead, past] = [[], []];
  $("last").textContent = "";
  try {
    await step();
    work.hidden = false;
  } catch (error) {
    say(error.message);
    $("who").hidden = false;
  }
};
$("who").addEventListener("submit", (event) => {
  event.preventDefault();
  say("");
  name = $("name").value.trim();
  localStorage.setItem(NAME, name);
  begin();
});
$("rename").addEventListener("click", () => {
  $("name").value = name;
  name = "";
  $("done").hidden = true;
  begin();
});
begin();
