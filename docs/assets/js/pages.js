/* Loads what only some pages need, when a page of that kind is shown. */

const NEEDED = [
  [".review", "./review.js"],
  [".timeline", "./timeline.js"],
];

const pages = window.document$ ?? { subscribe: (run) => run() };
pages.subscribe(() => {
  for (const [selector, script] of NEEDED)
    if (document.querySelector(selector)) import(script).then((page) => page.start());
});
