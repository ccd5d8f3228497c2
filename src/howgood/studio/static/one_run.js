import { $, follow, keys } from "./web.js";
import { watch } from "./live.js";

// What has to be counted and drawn comes once the page is there. It is our own server's page, escaped there; what is
// parsed like this runs no script.

const place = $("figures");
if (place) {
  fetch(place.dataset.address, { credentials: "same-origin", headers: { Accept: "application/json" } })
    .then(async (response) => {
      if (!response.ok) {
        const told = await response.json().catch(() => ({}));
        throw new Error(told.error || "The figures could not be made.");
      }
      const made = new DOMParser().parseFromString(await response.text(), "text/html");
      place.replaceChildren(...made.body.childNodes);
    })
    .catch((error) => {
      place.querySelector(".waiting").textContent = error.message;
    })
    .finally(() => place.setAttribute("aria-busy", "false"));
}

const running = $("running");
if (running) watch((run) => (run === running.dataset.run ? running : null));

keys({
  i: follow("#instances"),
  w: follow("#wrong"),
  c: follow("#compare"),
  u: follow(".bar nav a"),
});
