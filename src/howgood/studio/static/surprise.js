import { keys, follow } from "./web.js";

keys({ ArrowLeft: follow("a[rel=prev]"), ArrowRight: follow("a[rel=next]"), u: follow("#trial") });
