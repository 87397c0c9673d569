/* Self-checks that are answered, answers that are rated, and how far the
   reader is. The build wrote complete HTML; this adds to it. */

import { dayOf, daysBetween, dueOn, find, grade, open, progress, put } from "./store.js";

export const root = new URL("../../", import.meta.url);
export const today = () => dayOf(Date.now());

let trouble = "";
export const store = open(
  () => localStorage,
  (text) => (trouble = text),
);

/* Says once what is wrong with the storage. */
export function takeTrouble() {
  const text = trouble;
  trouble = "";
  return text;
}

export function make(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const name in props)
    if (name in node) node[name] = props[name];
    else node.setAttribute(name, props[name]);
  node.append(...children);
  return node;
}

export const button = (text, run, type = "button") => {
  const node = make("button", { type, className: "action" }, text);
  if (run) node.addEventListener("click", run);
  return node;
};

export function dateText(day) {
  const date = new Date(`${day}T12:00`);
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "long" });
}

export function soon(day) {
  const days = daysBetween(today(), day);
  if (days <= 0) return "today";
  return days === 1 ? "tomorrow" : `on ${dateText(day)}`;
}

const WORDS = {
  sure: "wrong",
  wrong: "wrong, as a guess",
  seen: "opened without an attempt",
  lucky: "right, as a guess",
  right: "right",
  no: "not at all",
  partly: "partly",
  well: "well",
};

function due(key) {
  const state = store.load();
  const item = find(state, key);
  return item ? soon(dueOn(key.id, item, today(), state.interview)) : "";
}

function past(key) {
  const item = find(store.load(), key);
  if (!item) return "";
  const [time, mark] = item.log[item.log.length - 1];
  return `Last time, on ${dateText(dayOf(time))}: ${WORDS[mark]}. Comes back ${due(key)}.`;
}

function record(block, key, mark, answer) {
  store.update((state) => grade(state, key, mark, Date.now(), answer));
  changed();
  block.dispatchEvent(
    new CustomEvent("graded", { bubbles: true, detail: { id: key.id, mark } }),
  );
}

/* 1. Self-checks -------------------------------------------------------- */

function prepareCheck(block) {
  const fields = block.querySelector("fieldset");
  const status = block.querySelector(".check__status");
  const answer = block.querySelector(".check__answer");
  if (!fields || !status || !answer || block.querySelector("form")) return;
  const key = { id: block.dataset.check, rev: block.dataset.rev };
  const inputs = [...fields.querySelectorAll("input")];
  const verdicts = [...answer.querySelectorAll("[data-option]")];
  const isRight = (verdict) => verdict.matches(".check__verdict--right");
  let attempted = false;
  let done = false;

  const sure = button("Check", null, "submit");
  const guess = button("Check, I'm guessing", null, "submit");
  const again = button("Try again", () => {
    done = false;
    form.reset();
    show();
    say("");
    still(() => (answer.open = false));
    inputs[0].focus();
  });
  const before = make("p", { className: "check__past" }, past(key));
  const form = make("form", { autocomplete: "off" });
  fields.before(form);
  form.append(before, fields, make("p", { className: "actions" }, sure, guess, again), status);

  function show(used = sure) {
    sure.hidden = done && used !== sure;
    guess.hidden = done && used !== guess;
    again.hidden = !done;
    sure.textContent = done ? "Checked" : "Check";
    guess.textContent = done ? "Checked, as a guess" : "Check, I'm guessing";
    /* Disabled they would lose the focus. */
    for (const node of [sure, guess, ...inputs])
      node.setAttribute("aria-disabled", done);
    block.toggleAttribute("data-done", done);
  }

  function say(text, kind = "") {
    status.className = `check__status ${kind && `check__verdict--${kind}`}`;
    const word = kind === "right" ? "Right" : "Not right";
    if (kind) status.replaceChildren(make("span", { className: "check__mark" }, word), text);
    else status.textContent = text;
  }

  /* After the verdict the choice stays as it was. */
  fields.addEventListener("click", (event) => done && event.preventDefault());

  answer.firstElementChild.addEventListener("click", () => {
    if (answer.open || attempted) return;
    attempted = true;
    record(block, key, "seen");
    say(`You opened the answer first. This comes back ${due(key) || "today"}. ${takeTrouble()}`);
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (done) return;
    const chosen = inputs.filter((input) => input.checked).map((input) => input.value);
    if (!chosen.length) return say("Choose an answer first; a guess helps");
    const right = verdicts.every(
      (verdict) => isRight(verdict) === chosen.includes(verdict.dataset.option),
    );
    const counts = !attempted && !answer.open;
    const guessed = event.submitter === guess;
    const earlier = find(store.load(), key)?.answer ?? [];
    for (const verdict of verdicts) {
      verdict.querySelector(".check__yours")?.remove();
      const { option } = verdict.dataset;
      const yours = chosen.includes(option)
        ? "Your choice"
        : counts && earlier.includes(option) && "Your choice last time";
      if (yours)
        verdict.firstElementChild.append(" ", make("span", { className: "check__yours" }, yours));
    }
    attempted = done = true;
    let text = ". This time it does not count.";
    if (counts) {
      const mark = right ? (guessed ? "lucky" : "right") : guessed ? "wrong" : "sure";
      record(block, key, mark, chosen);
      text = `${right && guessed ? ", but a guess" : ""}. It comes back ${due(key)}.`;
    }
    show(guessed ? guess : sure);
    still(() => (answer.open = true));
    say(`${text} ${takeTrouble()}`, right ? "right" : "wrong");
  });

  show();
}

/* Opening animates; what was asked for by a button is there at once. */
function still(change) {
  document.documentElement.toggleAttribute("data-still", true);
  change();
  document.documentElement.getBoundingClientRect();
  document.documentElement.removeAttribute("data-still");
}

/* 2. Open questions ----------------------------------------------------- */

const RATINGS = { no: "Not at all", partly: "Partly", well: "Well" };

function prepareQuestion(block) {
  if (block.querySelector(".rate")) return;
  const key = { id: block.dataset.question, rev: block.dataset.rev };
  const name = `${key.id}--rate`;
  const status = make("p", { className: "check__status", role: "status" });
  let old;
  let rated = false;
  const buttons = Object.entries(RATINGS).map(([mark, text]) => {
    const node = button(text, () => {
      if (node.getAttribute("aria-pressed") === "true") return;
      /* A second thought replaces the first. */
      if (rated) store.update((state) => put(state, key.id, old));
      else old = store.load().items[key.id];
      rated = true;
      buttons.forEach((one) => one.setAttribute("aria-pressed", one === node));
      record(block, key, mark);
      status.textContent = `Noted. It comes back ${due(key)}. ${takeTrouble()}`;
    });
    node.setAttribute("aria-pressed", false);
    return node;
  });
  block.append(
    make(
      "div",
      { className: "rate", role: "group", "aria-labelledby": name },
      make("p", { className: "rate__ask", id: name }, "How well could you have said it?"),
      make("p", { className: "check__past" }, past(key)),
      make("p", { className: "actions" }, ...buttons),
      status,
    ),
  );
}

export function prepare(within) {
  within.querySelectorAll("[data-check]").forEach(prepareCheck);
  within.querySelectorAll("[data-question]").forEach(prepareQuestion);
}

/* 3. Progress ----------------------------------------------------------- */

/* Every item of the site, as the review page lists them. */
export function readItems(page, address) {
  return [...page.querySelectorAll(".items li > a")].map((link) => {
    const { topic, section } = link.closest("details").dataset;
    const url = new URL(link.getAttribute("href"), address);
    return { id: url.hash.slice(1), rev: link.dataset.rev, url, topic, section, link };
  });
}

let items;
async function allItems() {
  const address = new URL("review/", root);
  const here = readItems(document, location.href);
  if (here.length) return here;
  items ??= fetch(address)
    .then((answer) => answer.text())
    .then((text) => readItems(new DOMParser().parseFromString(text, "text/html"), address));
  return items.catch(() => ((items = undefined), []));
}

export function progressText(place, { total, answered, due: now }) {
  place.textContent = `${answered} of ${total} answered`;
  if (!now) return;
  if (place.closest("summary")) return place.append(`, ${now} due`);
  const link = make("a", { href: new URL("review/", root).href }, `${now} due`);
  place.append(", ", link);
}

async function changed() {
  const state = store.load();
  document.documentElement.toggleAttribute("data-try", state.tryFirst === true);
  const own = document.querySelector(".answers-toolbar .progress");
  if (own) {
    const list = [...document.querySelectorAll("[data-check], [data-question]")].map(
      ({ dataset }) => ({ id: dataset.check ?? dataset.question, rev: dataset.rev }),
    );
    progressText(own, progress(state, list, today()));
  }
  const places = [...document.querySelectorAll(".progress[data-total]")];
  if (!places.length) return;
  /* Who has answered nothing needs no list. */
  const list = Object.keys(state.items).length ? await allItems() : [];
  for (const place of places) {
    const { topic, section, total } = place.dataset;
    const mine = list.filter(
      (item) => (!topic || item.topic === topic) && (!section || item.section === section),
    );
    progressText(place, { ...progress(store.load(), mine, today()), total });
  }
}

function addTools() {
  const bar = document.querySelector(".answers-toolbar");
  if (!bar || bar.querySelector(".progress")) return;
  const toggle = make("button", {
    type: "button",
    title: "Hides the levels, keeps answers closed, and prints questions only",
  }, "Try first");
  const show = () => toggle.setAttribute("aria-pressed", store.load().tryFirst === true);
  toggle.addEventListener("click", () => {
    store.update(({ tryFirst, ...state }) => (tryFirst ? state : { ...state, tryFirst: true }));
    show();
    changed();
  });
  show();
  bar.append(toggle, make("p", { className: "progress" }));
}

/* Damage is found while the page loads; all else is said where it happens. */
function notice() {
  const text = takeTrouble();
  const title = document.querySelector(".md-content h1");
  if (text && title) title.after(make("p", { className: "notice", role: "status" }, text));
}

/* 4. Start -------------------------------------------------------------- */

const pages = window.document$ ?? { subscribe: (run) => run() };
pages.subscribe(() => {
  prepare(document);
  addTools();
  changed();
  notice();
});

/* Another tab wrote, or a new day began while this one lay idle. */
export function refresh() {
  changed();
  dispatchEvent(new Event("progress"));
}
addEventListener("storage", refresh);
addEventListener("pageshow", (event) => event.persisted && refresh());
document.addEventListener("visibilitychange", () => document.hidden || refresh());
