// What every page of the studio shares. Text from runs is only ever put into a page as text (textContent).

export const $ = (id) => document.getElementById(id);

/** Write to the studio: the answer's JSON, or an Error whose message can be shown. */
export async function post(path, value) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "X-CSRF": document.querySelector("meta[name=csrf]").content },
      body: JSON.stringify(value),
    });
  } catch {
    throw new Error("The studio does not answer. Is it still running?");
  }
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(told.error || "That did not work.");
  return told;
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
