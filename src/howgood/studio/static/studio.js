// What every page of the studio shares.
export * from "./web.js";
