// How far running runs are, as the studio tells it.

const number = new Intl.NumberFormat("en");
const money = (dollars) => (dollars === null ? "cost unknown" : `$${dollars.toFixed(dollars < 1 ? 4 : 2)}`);
const time = (seconds) => {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
};

function words(told) {
  const parts = [`${number.format(told.done)} of ${number.format(told.planned)}`];
  if (told.rate) parts.push(`${told.rate.toPrecision(2)} a second`);
  parts.push(`${money(told.cost)} so far`);
  if (told.left !== null) parts.push(`${time(told.left)} left`);
  if (told.total !== null && told.done < told.planned) parts.push(`about ${money(told.total)} in all`);
  if (told.silent > 60) parts.push(`nothing written for ${time(told.silent)}: it may have been stopped`);
  return parts.join(", ");
}

/** Show how far each running run is in the element that `find` gives for it: its <progress> and its .standing. Once a
 * run that has an element ends, the page is loaded again. */
export function watch(find) {
  const source = new EventSource("/runs/live");
  source.addEventListener("message", (message) => {
    const told = JSON.parse(message.data);
    const place = find(told.run);
    if (!place) return;
    if (told.type === "ended") {
      location.reload();
      return;
    }
    const bar = place.querySelector("progress");
    if (!bar) return;
    bar.max = told.planned;
    bar.value = told.done;
    place.querySelector(".standing").textContent = words(told);
  });
}
