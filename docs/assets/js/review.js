/* The review page: what is due across all topics, one at a time, and what is
   kept moved, merged or deleted. */

import {
  button,
  dateText,
  make,
  prepare,
  readItems,
  refresh,
  soon,
  store,
  takeTrouble,
  today,
} from "./checks.js";
import { prepare as prepareCode } from "./code.js";
import {
  KEY,
  daysBetween,
  dueOn,
  find,
  forget,
  merge,
  missed,
  parse,
  plan,
} from "./store.js";

const AT_ONCE = 20;
const count = (number, one, many = `${one}s`) =>
  `${number} ${number === 1 ? one : many}`;
const text = (words, className = "") => make("p", { className }, words);
const actions = (...children) => make("p", { className: "actions" }, ...children);

let box;
let items = [];
let atHome = false;

function show(...children) {
  box.replaceChildren(...children.filter(Boolean));
  atHome = false;
}

function heading(words) {
  return make("h2", { className: "review__title", tabIndex: -1 }, words);
}

/* 1. What is due --------------------------------------------------------- */

function nextDay(state) {
  const days = {};
  for (const entry of items) {
    const item = find(state, entry);
    if (!item) continue;
    const day = dueOn(entry.id, item, today(), state.interview);
    if (day > today()) days[day] = (days[day] ?? 0) + 1;
  }
  const day = Object.keys(days).sort()[0];
  return day ? `Next: ${days[day]} ${soon(day)}.` : "";
}

function advice(state, due) {
  if (!state.interview) return "";
  const days = daysBetween(today(), state.interview);
  if (days < 0) return "Your interview date has passed. Set the next one, or clear it.";
  if (days === 0)
    return "Your interview is today. Read what you missed once more, and leave the rest.";
  if (days > 1)
    return `Your interview is in ${days} days. Everything you answered comes back before it.`;
  return due
    ? `Your interview is tomorrow. Say ${due > AT_ONCE ? `the first ${AT_ONCE}` : "these"} aloud: what you know least comes first, and what you miss comes back this evening. Then stop, and sleep.`
    : "Your interview is tomorrow, and nothing you answered needs another look. Take a few new ones, or stop here and sleep.";
}

function home(focus) {
  const state = store.load();
  const due = plan(state, items, today());
  const again = plan(state, items, today(), "missed");
  const fresh = plan(state, items, today(), "new");
  const some = fresh.length < items.length;
  const sure = due.filter(({ id }) => state.items[id].log.at(-1)[1] === "sure").length;
  const topics = new Set(due.map(({ topic }) => topic)).size;

  let title = some ? "Nothing is due today" : "Nothing to review yet";
  let detail = some
    ? nextDay(state)
    : "Answer a self-check on a topic page, or open an answer and say how well you could have said it. What you missed comes back here tomorrow, what you knew later.";
  if (due.length) {
    title = `${due.length} due today`;
    detail = sure
      ? `First ${count(sure, "answer")} that you were sure of and got wrong.`
      : topics > 1 ? `From ${topics} topics, mixed.` : "";
  }

  const tools = [];
  function offer(queue, words) {
    if (!queue.length) return;
    tools.push(button(words, () => session(queue)));
    tools[0].classList.add("action--first");
  }
  const size = Math.min(due.length, AT_ONCE);
  offer(due, size < due.length ? `Review the first ${size}` : "Review");
  offer(again, `Only what I missed (${again.length})`);
  offer(fresh.slice(0, 10), `Try ${count(Math.min(10, fresh.length), "new one")}`);

  const parts = [
    heading(title),
    text(detail),
    text(advice(state, due.length)),
    actions(...tools),
  ];
  /* The date stays while it is being typed. */
  const top = box.querySelector(".review__top");
  if (top) top.replaceChildren(...parts);
  else show(make("div", { className: "review__top" }, ...parts), interview(state));
  atHome = true;
  if (focus) box.querySelector("h2").focus();
}

function interview(state) {
  const input = make("input", { type: "date", id: "interview", value: state.interview ?? "" });
  input.addEventListener("change", () => {
    const day = input.value;
    if (day && day < "2020") return; // half typed
    store.update(({ interview: _, ...rest }) => (day ? { ...rest, interview: day } : rest));
    refresh();
  });
  return make(
    "p",
    { className: "review__date" },
    make("label", { htmlFor: "interview" }, "Interview on"),
    " ",
    input,
  );
}

/* 2. One at a time ------------------------------------------------------- */

const fetched = new Map();

function fetchPage(url) {
  const address = new URL(url);
  address.hash = "";
  if (!fetched.has(address.href))
    fetched.set(
      address.href,
      fetch(address).then(async (answer) => {
        if (!answer.ok) throw new Error(answer.statusText);
        return new DOMParser().parseFromString(await answer.text(), "text/html");
      }),
    );
  return fetched.get(address.href);
}

/* The block as it stands on its page. A parsed document runs no scripts. */
async function fetchBlock({ id, url }) {
  const page = await fetchPage(url);
  const check = page.querySelector(`[data-check="${id}"]`);
  const answer = page.querySelector(`[data-question="${id}"]`);
  const parts = [check ?? answer];
  if (!parts[0]) throw new Error("it is no longer there");
  if (!check)
    for (let part = answer; part.id !== id; parts.unshift(part))
      part = part.previousElementSibling;
  const block = make("div", { className: "review__block" });
  block.append(...parts.map((part) => document.importNode(part, true)));
  block.querySelectorAll("script, .headerlink").forEach((part) => part.remove());
  for (const name of ["href", "src"])
    for (const part of block.querySelectorAll(`[${name}]`))
      part.setAttribute(name, new URL(part.getAttribute(name), url).href);
  if (check) block.firstElementChild.open = true;
  return block;
}

function session(all) {
  const queue = all.slice(0, AT_ONCE);
  const marks = new Map();
  const again = new Set();

  async function step(position) {
    const entry = queue[position];
    if (!entry) return summary(marks);
    const title = heading(`Question ${position + 1} of ${queue.length}`);
    const next = button("Skip", () => step(position + 1));
    const stop = button("Stop", () => summary(marks));
    const link = make("a", { href: entry.url.href, hidden: true }, "Read it on its page");
    const slot = make("div", { className: "review__slot" }, text("Loading …"));
    show(title, slot, actions(next, stop, link));
    title.focus();

    let block;
    try {
      block = await fetchBlock(entry);
    } catch {
      fetched.clear();
      link.hidden = false;
      slot.replaceChildren(
        text("This one could not be loaded. It stays due: open it on its page, or go on."),
      );
      return;
    }
    block.addEventListener("graded", ({ detail }) => {
      marks.set(entry.id, detail.mark);
      /* What is due again today is asked once more, at the end. */
      const state = store.load();
      const item = find(state, entry);
      const last = queue.indexOf(entry, position + 1);
      if (last > 0) queue.splice(last, 1);
      if (
        !again.has(entry.id) &&
        item &&
        dueOn(entry.id, item, today(), state.interview) <= today()
      )
        queue.push(entry);
      link.hidden = false;
      next.textContent = position + 1 < queue.length ? "Next" : "Finish";
      next.classList.add("action--first");
    });
    next.addEventListener("click", () => marks.has(entry.id) && again.add(entry.id));
    slot.replaceChildren(block);
    prepare(block);
    prepareCode(block);
    if (queue[position + 1]) fetchPage(queue[position + 1].url).catch(() => {});
  }

  step(0);
}

function summary(marks) {
  if (!marks.size) return home(true);
  const state = store.load();
  const number = (...wanted) =>
    [...marks.values()].filter((mark) => wanted.includes(mark)).length;
  const parts = [
    [number("right", "well"), "known"],
    [number("lucky", "partly"), "half known"],
    [number("sure", "wrong", "no"), "missed"],
    [number("seen"), "opened without an attempt"],
  ];
  const weak = items.filter((item) => marks.has(item.id) && missed(find(state, item)));
  const title = heading(`${count(marks.size, "question")} done`);
  const due = plan(state, items, today()).length;
  show(
    title,
    text(`${parts.filter(([n]) => n).map(([n, word]) => `${n} ${word}`).join(", ")}.`),
    weak.length ? text("To read again:") : "",
    weak.length
      ? make("ul", {}, ...weak.map(({ url, link }) =>
          make("li", {}, make("a", { href: url.href }, ...link.cloneNode(true).childNodes))))
      : "",
    text([due ? `${due} more ${due === 1 ? "is" : "are"} due today.` : "Nothing more is due today.", nextDay(state)].join(" ")),
    actions(button(due ? "Go on" : "Back", () => home(true))),
  );
  title.focus();
}

/* 3. Moving, merging, deleting ------------------------------------------ */

function save(name, content) {
  const url = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1e4);
}

/* A button that asks once more, in its own place. */
function careful(words, question, yes, run) {
  const place = make("span", { className: "careful" });
  const ask = button(words, () => {
    const no = button("No", reset);
    place.replaceChildren(`${question()} `, button(yes, () => (run(), reset())), " ", no);
    no.focus();
  });
  const reset = () => (place.replaceChildren(ask), ask.focus());
  place.append(ask);
  return place;
}

function changed(words, status) {
  refresh();
  status.textContent = `${words} ${takeTrouble()}`;
}

const known = (ids) => {
  const state = store.load();
  return ids.filter((id) => Object.hasOwn(state.items, id)).length;
};

function addForget(topic) {
  const ids = items.filter((item) => topic.contains(item.link)).map(({ id }) => id);
  const status = make("span", { role: "status" });
  topic.append(
    actions(
      careful(
        "Forget this topic",
        () => `Forget ${count(known(ids), "answer")}?`,
        "Forget",
        () => {
          store.update((state) => forget(state, ids));
          changed("Forgotten.", status);
        },
      ),
      status,
    ),
  );
}

function addKeeping() {
  const status = make("p", { role: "status", className: "review__status" });
  const choice = make("p", { className: "actions" });
  const file = make("input", { type: "file", id: "progress-file", accept: ".json,application/json" });
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    file.value = "";
    choice.replaceChildren();
    if (!chosen) return;
    const { kind, state, dropped } = parse(chosen.size < 2e7 ? await chosen.text() : "");
    const total = Object.keys(state.items).length;
    if (kind === "future")
      status.textContent = "That file comes from a newer version of this site. Nothing was changed.";
    else if (!total && !state.interview)
      status.textContent = "That file holds no progress that can be read. Nothing was changed.";
    else offer(state, dropped, chosen.name);
  });

  function offer(theirs, dropped, name) {
    const mine = store.load();
    const result = merge(mine, theirs);
    const date = !mine.interview && theirs.interview;
    status.textContent = [
      `${name}: ${result.added} new here, ${result.updated} newer than yours, ${result.kept} that you have already.`,
      date ? `The interview on ${dateText(date)} is set.` : "",
      dropped ? `${count(dropped, "entry", "entries")} could not be read and ${dropped === 1 ? "is" : "are"} left out.` : "",
    ].join(" ");
    const use = button("Take them over", () => {
      choice.replaceChildren();
      store.update((state) => merge(state, theirs).state);
      changed("Taken over.", status);
      file.focus();
    });
    choice.replaceChildren(use, button("Leave it", () => {
      choice.replaceChildren();
      status.textContent = "Nothing was changed.";
      file.focus();
    }));
  }

  const remove = careful(
    "Delete everything",
    () => `Delete ${count(Object.keys(store.load().items).length, "answer")} and the interview date?`,
    "Delete",
    () => {
      store.update(({ v }) => ({ v, items: {} }));
      changed("Deleted.", status);
    },
  );
  const title = document.getElementById("your-progress");
  const place = make(
    "div",
    { className: "keeping" },
    actions(button("Save as a file", () => save(`handbook-progress-${today()}.json`, JSON.stringify(store.load()))), remove),
    make("p", { className: "keeping__file" }, make("label", { htmlFor: file.id }, "Read from a file"), " ", file),
    status,
    choice,
    ...damaged(),
  );
  title.nextElementSibling.after(place);
}

function damaged() {
  const names = [];
  try {
    for (let n = 0; n < localStorage.length; n += 1)
      if (localStorage.key(n).startsWith(`${KEY}:damaged-`)) names.push(localStorage.key(n));
  } catch {
    /* Storage denied: there is nothing to show. */
  }
  return names.map((name) => {
    const row = make("p", {}, "A damaged copy of earlier progress is kept in this browser. ");
    row.append(
      button("Save the copy", () => save(`${name.replace(":", "-")}.json`, localStorage.getItem(name))),
      " ",
      careful("Delete the copy", () => "Delete it?", "Delete", () => {
        localStorage.removeItem(name);
        document.getElementById("progress-file").focus();
        row.remove();
      }),
    );
    return row;
  });
}

/* 4. Start --------------------------------------------------------------- */

export function start() {
  box = document.querySelector(".review");
  if (!box || box.dataset.started) return;
  box.dataset.started = "";
  items = readItems(document, location.href);
  document.querySelectorAll("details.topic").forEach(addForget);
  addKeeping();
  home();
}

addEventListener("progress", () => atHome && box.isConnected && home());
