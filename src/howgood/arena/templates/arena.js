"use strict";
// Text of visitors and systems is only ever put into the page as text (textContent).
(() => {
  const $ = (id) => document.getElementById(id);
  const csrf = document.querySelector("meta[name=csrf]").content;

  const post = (path, body) =>
    fetch(path, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "X-CSRF": csrf },
      body: JSON.stringify(body),
    });

  const say = (text) => {
    $("message").textContent = text;
    $("message").hidden = !text;
  };

  const problem = async (response) => {
    try {
      return (await response.json()).error || "That did not work.";
    } catch {
      return "That did not work. Try again.";
    }
  };

  if ($("enter")) {
    $("enter").addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        const response = await post("/enter", { token: $("token").value });
        if (response.ok) location.reload();
        else say(await problem(response));
      } catch {
        say("The arena does not answer. Try again.");
      }
    });
    return;
  }

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
    battle: (event) => { battle = event.battle; },
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

  const read = async (response) => {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let held = "";
    let last = null;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      held += value;
      const events = held.split("\n\n");
      held = events.pop();
      for (const text of events) {
        if (!text.startsWith("data: ")) continue;
        const event = JSON.parse(text.slice(6));
        last = event.type;
        if (Object.hasOwn(handle, last)) handle[last](event);
      }
    }
    if (last !== "end") stop("The answers broke off.");
  };

  const ask = async () => {
    const prompt = $("prompt").value;
    if (!prompt.trim() || $("send").disabled) return;
    say("");
    busy(true);
    $("verdict").hidden = true;
    const turn = addTurn(prompt);
    try {
      const response = await post("/ask", { prompt, battle, website: $("website").value });
      if (response.ok) {
        $("prompt").value = "";
        await read(response);
      } else {
        turn.remove();
        $("verdict").hidden = battle === null;
        say(await problem(response));
      }
    } catch {
      stop("The arena does not answer. Try again.");
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
      const response = await post("/vote", { battle, winner, website: $("website").value });
      if (!response.ok) {
        say(await problem(response));
        busy(false);
        return;
      }
      const told = await response.json();
      for (const side of ["a", "b"]) {
        for (const part of document.querySelectorAll(`[data-side=${side}]`)) {
          part.querySelector("h2").textContent = `System ${side.toUpperCase()}: ${told[`model_${side}`]}`;
          part.classList.add("named");
          part.classList.toggle("chosen", side === winner);
        }
      }
      $("result").textContent = `${words[winner]} A was ${told.model_a}, B was ${told.model_b}.`;
      $("counts").textContent = told.left_out || "Thank you: your vote is kept.";
      $("names").hidden = false;
      $("verdict").hidden = true;
      finish(false);
      $("new").focus();
    } catch {
      say("The arena does not answer. Your vote may not be kept; try again.");
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
})();
