import { $, keys, post, say, stream } from "./web.js";

const form = $("ask");
const boxes = [...form.querySelectorAll("input[name=system]")];
const most = Number(form.dataset.most);
let queue = []; // the prompts of a set that are still to be asked
let size = 0;
let round = null;
let sides = [];
let ended = false;
let preferred = null;
let busy = false;

// What is asked

const chosen = () => boxes.filter((box) => box.checked).map((box) => Number(box.value));

const check = () => {
  const number = chosen().length;
  for (const box of boxes) box.disabled = number >= most && !box.checked;
  $("send").disabled = busy || number < 2;
  const set = $("is-set").checked;
  $("set-help").hidden = !set;
  $("prompt-label").textContent = set ? "Prompts" : "Prompt";
  $("prompt").rows = set ? 8 : 4;
};
form.addEventListener("change", check);

const working = (on) => {
  busy = on;
  $("round").setAttribute("aria-busy", String(on));
  check();
};

const show = (number, names) => {
  sides = [];
  $("sides").replaceChildren();
  $("votes").replaceChildren();
  const button = (words, key, value) => {
    const made = document.createElement("button");
    made.type = "button";
    made.dataset.value = value;
    const small = document.createElement("kbd");
    small.textContent = key;
    made.append(words, " ", small);
    made.addEventListener("click", () => prefer(value));
    $("votes").append(made);
  };
  for (let place = 0; place < number; place += 1) {
    const side = $("side").content.firstElementChild.cloneNode(true);
    side.querySelector("h2").textContent = names ? names[place].name : `Answer ${place + 1}`;
    side.classList.toggle("named", Boolean(names));
    side.querySelector(".answer").classList.add("writing");
    side.querySelector(".answer").setAttribute("aria-label", `Answer ${place + 1}`);
    $("sides").append(side);
    sides.push(side);
    button(`${place + 1} is best`, String(place + 1), place);
  }
  button("Tie", "t", "tie");
  button("All bad", "b", "bad");
};

const finish = (place, failed) => {
  const answer = sides[place].querySelector(".answer");
  answer.classList.remove("writing");
  answer.classList.toggle("failed", failed);
};

const failed = (place, error) => {
  sides[place].querySelector(".answer").textContent = error || "This system could not answer. Why is told with the names.";
  finish(place, true);
  $("votes").children[place].disabled = true;
};

const handle = {
  round: (event) => {
    round = event.round;
    if (event.systems) event.systems.forEach((system, place) => {
      sides[place].querySelector("h2").textContent = system.name;
      sides[place].classList.add("named");
    });
  },
  piece: (event) => { sides[event.side].querySelector(".answer").textContent += event.text; },
  ended: (event) => {
    sides[event.side].querySelector(".answer").textContent = event.text;
    sides[event.side].querySelector(".took").textContent = event.took ?? "";
    finish(event.side, false);
  },
  failed: (event) => failed(event.side, event.error),
  end: (event) => {
    ended = true;
    $("verdict").hidden = !event.fine;
    $("reveal").hidden = !$("blind").checked;
    if (!event.fine) say("No system gave an answer.");
  },
};

const ask = async (prompt) => {
  say("");
  [round, ended, preferred] = [null, false, null];
  for (const id of ["verdict", "next", "keep", "reveal"]) $(id).hidden = true;
  $("words").value = "";
  $("result").textContent = "";
  $("asked").textContent = prompt;
  $("place").textContent = size ? `Prompt ${size - queue.length} of ${size}` : "";
  const systems = chosen();
  show(systems.length, null);
  $("round").hidden = false;
  working(true);
  try {
    const last = await stream(
      "/beside/ask",
      {
        prompt,
        systems,
        blind: $("blind").checked,
        max_tokens: Number($("max-tokens").value),
        temperature: Number($("temperature").value),
      },
      handle,
    );
    if (last !== "end") throw new Error("The answers broke off. Ask again.");
  } catch (error) {
    for (const side of sides) side.querySelector(".answer").classList.remove("writing");
    if (!round) $("round").hidden = true;
    say(error.message);
  }
  working(false);
  $("next").hidden = !queue.length && !ended;
  $("next").textContent = queue.length ? "Next prompt" : "New prompt";
};

const start = async () => {
  if ($("send").disabled || !form.reportValidity()) return;
  const text = $("prompt").value;
  say("");
  if (!text.trim()) {
    say("Write a prompt first.");
    return;
  }
  $("prompt").blur(); // so that keys are not written into it
  if (!$("is-set").checked) {
    [queue, size] = [[], 0];
    await ask(text);
    return;
  }
  try {
    queue = (await post("/beside/set", { text })).prompts;
    size = queue.length;
    await ask(queue.shift());
  } catch (error) {
    say(error.message);
  }
};

form.addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
const onControlEnter = (field, act) => {
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      act();
    } else if (event.key === "Escape") field.blur();
  });
};
onControlEnter($("prompt"), start);

// What is said of it

const named = (systems) => {
  systems.forEach((system, place) => {
    const side = sides[place];
    side.classList.add("named");
    side.querySelector("h2").textContent = system.name;
    side.querySelector(".took").textContent = system.took;
    if (system.error) failed(place, system.error);
  });
  $("reveal").hidden = true;
};

const refresh = async () => {
  const text = await (await fetch("/beside", { credentials: "same-origin" })).text();
  const noted = new DOMParser().parseFromString(text, "text/html").getElementById("noted");
  if (noted) $("noted").replaceWith(document.adoptNode(noted));
};

async function prefer(value) {
  if (!ended || busy || $("verdict").hidden || $("votes").children[value]?.disabled) return false;
  say("");
  try {
    const told = await post("/beside/prefer", { round, preferred: value, words: $("words").value });
    preferred = value;
    named(told.systems);
    sides.forEach((side, place) => side.classList.toggle("best", place === value));
    for (const button of $("votes").children) button.setAttribute("aria-pressed", String(button.dataset.value === String(value)));
    const words = { tie: "A tie", bad: "All bad" };
    $("result").textContent = `Noted: ${words[value] ?? `${told.systems[value].name} is best`}.`;
    $("keep").hidden = false;
    await refresh();
  } catch (error) {
    say(error.message);
  }
  return true;
}

const reveal = async () => {
  if (!ended || $("reveal").hidden) return;
  try {
    named((await post("/beside/names", { round })).systems);
  } catch (error) {
    say(error.message);
  }
};

const next = () => {
  if (busy || $("next").hidden) return false;
  if (queue.length) ask(queue.shift());
  else {
    [$("round").hidden, size] = [true, 0];
    $("prompt").value = "";
    $("prompt").focus();
  }
  return true;
};

const keep = () => preferred !== null && prefer(preferred);
$("reveal").addEventListener("click", reveal);
$("next").addEventListener("click", next);
$("keep").addEventListener("click", keep);
onControlEnter($("words"), keep);

const place = (number) => () => number < sides.length && prefer(number);
keys({
  ...Object.fromEntries([...Array(most).keys()].map((number) => [String(number + 1), place(number)])),
  t: () => prefer("tie"),
  b: () => prefer("bad"),
  n: next,
  w: () => {
    if ($("verdict").hidden || $("round").hidden) return false;
    $("words").focus();
    return true;
  },
});
check();
