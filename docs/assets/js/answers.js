/* Answers: the "Open all" button, answers still open after going back, and
   search hits that show their passage. All of it is extra: an answer is a
   <details> and opens without this. */

import { KEY, parse } from "./store.js";

const article = () => document.querySelector(".md-content article");
const all = (selector) => [...(article()?.querySelectorAll(selector) ?? [])];
const onToggle = (run) => article()?.addEventListener("toggle", run, true);

/* Opening animates. A jump must not: the page would be measured half open. */
function still(change) {
  const root = document.documentElement;
  root.toggleAttribute("data-still", true);
  change();
  root.getBoundingClientRect();
  root.removeAttribute("data-still");
}

/* For who wants to try first, answers stay closed until they are opened. */
function trying() {
  try {
    return parse(localStorage.getItem(KEY)).state.tryFirst;
  } catch {
    return false;
  }
}

function addToolbar() {
  const answers = all("details.question");
  const title = all("h1")[0];
  if (!title || !answers.length || all(".answers-toolbar").length) return;
  const bar = document.createElement("div");
  const button = document.createElement("button");
  bar.className = "answers-toolbar";
  button.type = "button";
  bar.append(button);
  title.after(bar);

  const allOpen = () => answers.every((answer) => answer.open);
  const label = () => {
    button.textContent = allOpen() ? "Close all answers" : "Open all answers";
  };
  button.addEventListener("click", () => {
    const open = !allOpen();
    still(() => answers.forEach((answer) => (answer.open = open)));
  });
  onToggle(label);
  label();
}

/* What is open is kept for the tab, and used only on the way back or on
   reload: a page reached by a link starts closed. */
let returning = ["back_forward", "reload"].includes(
  performance.getEntriesByType("navigation")[0]?.type,
);
let shown;
/* A jump within the page fires the same event. */
addEventListener("popstate", () => (returning = location.pathname !== shown));

function keepOpen() {
  const boxes = all("details");
  const key = `open:${location.pathname}`;
  const store = (method, ...rest) => {
    try {
      return sessionStorage[method](key, ...rest);
    } catch {
      /* Storage denied: the page works, it only forgets. */
    }
  };
  const kept = returning && !trying() ? JSON.parse(store("getItem") ?? "[]") : [];
  returning = false;
  shown = location.pathname;
  if (kept.length) {
    still(() => kept.forEach((i) => boxes[i] && (boxes[i].open = true)));
    /* Material has scrolled already, on the shorter page. */
    if (history.state?.y) scrollTo(0, history.state.y);
  } else store("removeItem");
  onToggle(() => {
    const now = boxes.flatMap((box, i) => (box.open ? i : []));
    store("setItem", JSON.stringify(now));
  });
}

/* A hit names its question in the fragment and its words in ?h=. Material
   marks the words, also in closed answers, once the index has loaded. Open
   what holds them in that question, never the answer of a self-check. */
const SPOILER = ".check__answer";
let watching;

function showHit() {
  watching?.disconnect();
  if (!new URLSearchParams(location.search).get("h") || !article()) return;
  watching = new MutationObserver(() => {
    const marks = all("mark[data-md-highlight]");
    if (!marks.length) return;
    watching.disconnect();

    const follows = (a, b) => a.compareDocumentPosition(b) & 4;
    const start = document.getElementById(location.hash.slice(1));
    const end = start && all("h2").find((title) => follows(start, title));
    const here = marks.filter(
      (mark) =>
        (!start || start.contains(mark) || follows(start, mark)) &&
        (!end || follows(mark, end)),
    );
    const safe = here.filter((mark) => !mark.closest(SPOILER));

    /* The passage is the block with the most different words of the query.
       Where that is the question itself, its answer opens too. */
    const words = new Map();
    for (const mark of safe.length ? safe : here) {
      const block = mark.closest("p, li, td, pre, h1, h2, summary");
      const found = words.get(block) ?? new Set();
      words.set(block, found.add(mark.textContent.toLowerCase()));
    }
    const [passage] = [...words].sort((a, b) => b[1].size - a[1].size)[0] ?? [];
    const answer = safe.find((mark) => mark.closest("details.question"));
    const target = passage?.closest(SPOILER) ?? passage;
    still(() => {
      for (let box of [target, answer])
        while ((box = box?.closest("details"))) {
          const closed = trying() ? ".question, .check" : "";
          if (!box.matches(SPOILER) && !(closed && box.matches(closed))) box.open = true;
          box = box.parentElement;
        }
    });
    const { top, bottom } = target?.getBoundingClientRect() ?? {};
    if (top < 60 || bottom > innerHeight)
      target.scrollIntoView({ block: "center" });
  });
  watching.observe(article(), { childList: true, subtree: true });
}

/* Material emits once per page, also when it swaps pages without a reload. */
const pages = window.document$ ?? { subscribe: (run) => run() };
pages.subscribe(() => {
  addToolbar();
  keepOpen();
  showHit();
});
