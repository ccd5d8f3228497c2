// What all pages share. Text from runs, models and visitors is only ever put into a page as text (textContent).

export const $ = (id) => document.getElementById(id);

async function send(path, value) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "X-CSRF": document.querySelector("meta[name=csrf]").content },
      body: JSON.stringify(value),
    });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Error(told.error || "That did not work. Try again.");
}

/** Write to the server: the answer's JSON, or an Error whose message can be shown. */
export async function post(path, value) {
  return (await send(path, value)).json();
}

/** Write, and give each server-sent event of the answer to handle[its type]: the type of the last one, null where the
 * answer broke off at once. Throws as `post` does where the write is refused. */
export async function stream(path, value, handle) {
  const response = await send(path, value);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  let last = null;
  for (;;) {
    const { value: text, done } = await reader.read().catch(() => ({ done: true }));
    if (done) return last;
    held += text;
    const events = held.split("\n\n");
    held = events.pop();
    for (const one of events) {
      if (!one.startsWith("data: ")) continue;
      const event = JSON.parse(one.slice(6));
      last = event.type;
      if (Object.hasOwn(handle, last)) handle[last](event);
    }
  }
}

/** Show a problem, or take it away. */
export function say(text, id = "message") {
  const place = $(id);
  place.textContent = text;
  place.hidden = !text;
}

const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

/** Keys of a page: {"j": () => ..., "ArrowRight": ...}; none fires while somebody types. */
export function keys(table) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const act = Object.hasOwn(table, event.key) ? table[event.key] : null;
    if (act && act(event) !== false) event.preventDefault();
  });
}

/** Follow a link by its id or relation, if the page has it. */
export const follow = (selector) => () => {
  const link = document.querySelector(selector);
  if (!link) return false;
  link.click();
  return true;
};

keys({
  "/": () => {
    const field = document.querySelector("input[type=search]");
    if (!field) return false;
    field.focus();
    field.select();
    return true;
  },
  "?": () => {
    const help = $("keys");
    if (!help) return false;
    help.open ? help.close() : help.showModal();
    return true;
  },
});

if ($("enter")) {
  $("enter").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await post("/enter", { token: $("token").value });
      location.reload();
    } catch (error) {
      say(error.message);
    }
  });
}
