/* Progress: what is kept, when a question comes back, and the one place in
   the browser that holds it. No DOM. Days are local dates, "2027-01-31", so
   that neither the hour nor a change of the clocks moves them. */

export const KEY = "handbook";
export const VERSION = 1;
const LADDER = [1, 3, 7, 14, 30];
const LOG = 50;

/* How an attempt went, and how soon that wants another look. */
const RANK = {
  sure: 0, // wrong, and not guessed
  wrong: 1,
  no: 1,
  seen: 2, // the answer was opened without an attempt
  lucky: 3, // right, but guessed
  partly: 3,
  right: 4,
  well: 4,
};

/* 1. Days --------------------------------------------------------------- */

const two = (number) => String(number).padStart(2, "0");

export function dayOf(time) {
  const date = new Date(time);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/* Dates alone are counted in UTC, where every day has 24 hours. */
const number = (day) => Date.parse(`${day}T00:00Z`) / 864e5;
export const addDays = (day, days) =>
  new Date((number(day) + days) * 864e5).toISOString().slice(0, 10);
export const daysBetween = (from, to) => number(to) - number(from);
const isDay = (day) =>
  /^\d{4}-\d\d-\d\d$/.test(day) && number(day) >= 0 && addDays(day, 0) === day;

/* 2. Items -------------------------------------------------------------- */

export const empty = () => ({ v: VERSION, items: {} });

/* A changed question has another revision: what is kept is of the old one. */
export function find(state, { id, rev }) {
  const item = Object.hasOwn(state.items, id) ? state.items[id] : undefined;
  return item?.rev === rev ? item : undefined;
}

const last = (item) => item.log[item.log.length - 1];
export const missed = (item) => !!item && RANK[last(item)[1]] < 2;

export function put(state, id, item) {
  const items = { ...state.items, [id]: item };
  if (!item) delete items[id];
  return { ...state, items };
}

export function grade(state, { id, rev }, mark, now, answer) {
  const today = dayOf(now);
  const old = find(state, { id, rev }) ?? { rev, box: 0, due: today, log: [] };
  const early = old.due > today;
  let { box, due } = old;
  if (mark === "seen") {
    /* Who rereads an answer that is not due has learnt and lost nothing. */
    if (early) return state;
    due = today;
  } else if (RANK[mark] < 3) {
    box = 0;
    due = addDays(today, 1);
  } else if (!early) {
    /* What is known before its time proves little: it keeps its day. */
    if (RANK[mark] > 3) box = Math.min(box + 1, LADDER.length);
    due = addDays(today, LADDER[Math.max(box - 1, 0)]);
  }
  const item = { rev, box, due, log: [...old.log, [now, mark]].slice(-LOG) };
  if (answer ?? old.answer) item.answer = answer ?? old.answer;
  return put(state, id, item);
}

/* 3. What is due -------------------------------------------------------- */

function hash(text) {
  let value = 0;
  for (const letter of text) value = (value * 31 + letter.codePointAt(0)) >>> 0;
  return value;
}

/* The ladder is what is stored; the interview only brings a day forward, so
   that the date can change. Everything has a last look in the three days
   before it, spread over them, and what is missed on the eve comes back the
   same evening. */
export function dueOn(id, item, today, interview) {
  const [time, mark] = last(item);
  const seen = dayOf(time);
  /* A clock that was wrong must not put a question off for years. */
  if (daysBetween(today, item.due) > 30) return today;
  const eve = interview && addDays(interview, -1);
  if (!eve || today > eve || item.due <= eve) return item.due;
  if (seen >= eve) return RANK[mark] < 3 ? eve : item.due;
  const answered = item.log.map(([when]) => dayOf(when));
  if (answered[0] < seen && seen >= addDays(eve, -2)) return item.due;
  const look = addDays(eve, -(hash(id) % 3));
  return look > seen ? look : addDays(seen, 1);
}

export function progress(state, list, today) {
  let answered = 0;
  let due = 0;
  for (const entry of list) {
    const item = find(state, entry);
    if (!item) continue;
    answered += item.log.some(([, mark]) => mark !== "seen");
    due += dueOn(entry.id, item, today, state.interview) <= today;
  }
  return { total: list.length, answered, due };
}

/* Confident mistakes, then what was missed, opened or guessed, then what is
   known least; within each, one topic after the other. `list` holds
   {id, rev, topic}. `which` is "due", "missed" or "new". */
export function plan(state, list, today, which = "due") {
  const wanted = [];
  for (const entry of list) {
    const item = find(state, entry);
    if (which === "new" ? item : !item) continue;
    if (which === "missed" && !missed(item)) continue;
    if (which === "due" && dueOn(entry.id, item, today, state.interview) > today)
      continue;
    const rank = item ? RANK[last(item)[1]] * 10 + item.box : 0;
    wanted.push({ entry, rank, place: hash(entry.id + today) });
  }
  wanted.sort((a, b) => a.rank - b.rank || a.place - b.place);
  const queue = [];
  while (wanted.length) {
    const { rank } = wanted[0];
    const before = queue[queue.length - 1]?.topic;
    const next = wanted.findIndex(
      (one) => one.rank === rank && one.entry.topic !== before,
    );
    queue.push(wanted.splice(Math.max(next, 0), 1)[0].entry);
  }
  return queue;
}

/* 4. Reading, and moving between browsers ------------------------------- */

const isText = (text) => typeof text === "string" && /^[\w-]{1,100}$/.test(text);

function cleanItem({ rev, box, due, log, answer }) {
  const entry = ([time, mark]) =>
    Number.isSafeInteger(time) && time > 0 && Object.hasOwn(RANK, mark);
  const good =
    isText(rev) &&
    [0, 1, 2, 3, 4, 5].includes(box) &&
    isDay(due) &&
    log.length > 0 &&
    log.every(entry);
  if (!good) throw new TypeError();
  const item = { rev, box, due, log: log.slice(-LOG).map(([t, mark]) => [t, mark]) };
  if (Array.isArray(answer) && answer.length < 20 && answer.every(isText))
    item.answer = answer;
  return item;
}

/* MIGRATIONS[n] turns version n into n + 1. There is none before 1. */
const MIGRATIONS = {};

/* Returns {kind, state, dropped}; kind is "ok", "corrupt" or "future". What is
   whole in damaged data is kept. */
export function parse(raw, version = VERSION, migrations = MIGRATIONS) {
  const state = empty();
  let kind = "ok";
  let dropped = 0;
  try {
    let data = JSON.parse(raw);
    if (!Number.isSafeInteger(data.v)) throw new TypeError();
    if (data.v > version) return { kind: "future", state, dropped };
    while (data.v < version) data = migrations[data.v](data);
    state.v = version;
    for (const [id, item] of Object.entries(data.items)) {
      try {
        if (!isText(id) || id === "__proto__") throw new TypeError();
        state.items[id] = cleanItem(item);
      } catch {
        dropped += 1;
        kind = "corrupt";
      }
    }
    if (isDay(data.interview)) state.interview = data.interview;
    if (data.tryFirst === true) state.tryFirst = true;
  } catch {
    kind = "corrupt";
  }
  return { kind, state, dropped };
}

/* The newer of two answers to the same question wins. */
export function merge(mine, theirs) {
  const state = { ...theirs, ...mine, items: { ...mine.items } };
  const counts = { added: 0, updated: 0, kept: 0 };
  for (const [id, item] of Object.entries(theirs.items)) {
    const own = Object.hasOwn(mine.items, id) && mine.items[id];
    const newer = !own || last(item)[0] > last(own)[0];
    counts[!own ? "added" : newer ? "updated" : "kept"] += 1;
    if (newer) state.items[id] = item;
  }
  return { state, ...counts };
}

export function forget(state, ids) {
  const items = { ...state.items };
  for (const id of ids) delete items[id];
  return { ...state, items };
}

/* 5. The browser's storage ---------------------------------------------- */

const TROUBLE = {
  denied: "This browser lets the page store nothing, so your progress lasts until you leave.",
  full: "This browser's storage is full, so new progress lasts only until you leave. What was stored is untouched.",
  future:
    "Your progress was saved by a newer version of this site. It is left as it is, and nothing new is saved.",
  corrupt:
    "Some of your saved progress was damaged. A copy of it is kept; the rest still counts.",
};

/* `get` returns the storage, or throws where it is denied. */
export function open(get, say = () => {}) {
  let unsaved; // what could not be written
  let known = {}; // what was read last, by its text
  const said = new Set();

  function tell(kind) {
    if (!said.has(kind)) say(TROUBLE[kind], kind);
    said.add(kind);
  }

  function keep(raw) {
    const storage = get();
    let n = 1;
    while (![null, raw].includes(storage.getItem(`${KEY}:damaged-${n}`))) n += 1;
    storage.setItem(`${KEY}:damaged-${n}`, raw);
  }

  function read() {
    let raw;
    try {
      raw = get().getItem(KEY);
    } catch {
      return { kind: "denied", state: empty() };
    }
    if (raw === null) return { kind: "ok", state: empty() };
    if (known.raw !== raw) known = { raw, ...parse(raw) };
    return known;
  }

  function load() {
    const { kind, state, raw } = read();
    if (kind === "corrupt") {
      try {
        keep(raw);
        get().setItem(KEY, JSON.stringify(state));
        tell("corrupt");
      } catch {
        /* No room for the copy: the damaged data stays where it is. */
      }
    }
    return unsaved ? merge(unsaved, state).state : state;
  }

  function update(change) {
    const before = load();
    const next = change(before);
    if (next === before) return;
    let { kind } = read();
    if (kind === "ok")
      try {
        get().setItem(KEY, JSON.stringify(next));
        unsaved = undefined;
        return;
      } catch {
        kind = "full";
      }
    unsaved = next;
    tell(kind === "corrupt" ? "full" : kind);
  }

  return { load, update };
}
