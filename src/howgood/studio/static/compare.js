import { keys, follow } from "./web.js";

// Moving through the instances

const rows = [...document.querySelectorAll(".flips tbody a")];
let at = -1;
const move = (by) => () => {
  if (!rows.length) return false;
  at = Math.min(rows.length - 1, Math.max(0, at + by));
  rows[at].focus();
  return true;
};
keys({
  j: move(1),
  k: move(-1),
  n: follow(".pages a[rel=next]"),
  p: follow(".pages a[rel=prev]"),
  s: follow("#swap"),
});
