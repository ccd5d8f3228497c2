// Text of visitors and systems is only ever put into the page as text (textContent).
import { $, post, say, stream } from "./web.js";

let battle = null;
const sides = {};

const busy = (on) => {
  $("turns").setAttribute("aria-busy", String(on));
  $("send").disabled = on;
  for (const button of document.querySelectorAll(".vote")) button.disabled = on;
};

const addTurn = (prompt) => {
  const turn = $("turn").content.firstElementChild.cloneNode(true);
  turn.querySelector(".asked").textContent = prompt;
  for (const side of ["a", "b"]) {
    sides[side] = turn.querySelector(`[data-side=${side}] .answer`);
    sides[side].classList.add("writing");
  }
  $("turns").append(turn);
  return turn;
};

const finish = (more) => {
  $("ask").hidden = !more;
  $("again").hidden = more;
};

const stop = (text) => {
  for (const answer of Object.values(sides)) answer.classList.remove("writing");
  say(text);
  $("verdict").hidden = true;
  finish(false);
  $("new").focus();
};

const handle = {
  battle: (event) => {
    battle = event.battle;
    $("prompt").value = "";
  },
  piece: (event) => { sides[event.side].textContent += event.text; },
  ended: (event) => {
    sides[event.side].textContent = event.text;
    sides[event.side].classList.remove("writing");
  },
  failed: (event) => {
    sides[event.side].textContent = "This system could not answer.";
    sides[event.side].classList.remove("writing");
    sides[event.side].classList.add("failed");
  },
  end: (event) => {
    if (!event.fine) return stop("Without an answer from both systems there is nothing to vote on.");
    $("verdict").hidden = false;
    $("label").textContent = "Go on with both, or vote";
    finish(true);
    $("ask").hidden = !event.more;
  },
};

const ask = async () => {
  const prompt = $("prompt").value;
  if (!prompt.trim() || $("send").disabled) return;
  say("");
  busy(true);
  $("verdict").hidden = true;
  const turn = addTurn(prompt);
  try {
    const last = await stream("/ask", { prompt, battle, website: $("website").value }, handle);
    if (last !== "end") stop("The answers broke off.");
  } catch (error) {
    turn.remove();
    $("verdict").hidden = battle === null;
    say(error.message);
  }
  busy(false);
};

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
$("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    ask();
  }
});

const words = { a: "You chose A.", b: "You chose B.", tie: "You called it a tie.", bothbad: "You found both bad." };

const vote = async (winner) => {
  say("");
  busy(true);
  try {
    const told = await post("/vote", { battle, winner, website: $("website").value });
    for (const side of ["a", "b"]) {
      for (const part of document.querySelectorAll(`[data-side=${side}]`)) {
        part.querySelector("h2").textContent = `System ${side.toUpperCase()}: ${told[`model_${side}`]}`;
        part.classList.add("named");
        part.classList.toggle("best", side === winner);
      }
    }
    $("result").textContent = `${words[winner]} A was ${told.model_a}, B was ${told.model_b}.`;
    $("counts").textContent = told.left_out || "Thank you: your vote is kept.";
    $("names").hidden = false;
    $("verdict").hidden = true;
    finish(false);
    $("new").focus();
  } catch (error) {
    say(error.message);
  }
  busy(false);
};

for (const button of document.querySelectorAll(".vote")) {
  button.addEventListener("click", () => vote(button.dataset.winner));
}

$("new").addEventListener("click", () => {
  battle = null;
  $("turns").replaceChildren();
  $("names").hidden = true;
  $("verdict").hidden = true;
  $("label").textContent = "Your question";
  $("prompt").value = "";
  say("");
  finish(true);
  $("prompt").focus();
});
