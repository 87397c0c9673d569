/* Unit tests of the front end's store; run by tests/test_store.py, in several
   time zones. */

import assert from "node:assert/strict";
import test from "node:test";

import * as s from "../docs/assets/js/store.js";

const at = (text) => new Date(text).getTime(); // local time
const key = (id, rev = "r1") => ({ id, rev, topic: id[0] });
const days = (from, count) =>
  Array.from({ length: count }, (_, n) => s.addDays(from, n));
const answered = (marks, rev = "r1") =>
  marks.reduce(
    (state, [when, mark, id = "a"]) => s.grade(state, key(id, rev), mark, at(when)),
    s.empty(),
  );

class Storage {
  constructor(entries = {}, room = Infinity) {
    this.entries = new Map(Object.entries(entries));
    this.room = room;
  }
  getItem = (name) => this.entries.get(name) ?? null;
  setItem(name, value) {
    if (value.length > this.room) throw new Error("QuotaExceededError");
    this.entries.set(name, value);
  }
}
function opened(storage, get = () => storage) {
  const said = [];
  return { said, ...s.open(get, (text, kind) => said.push(kind)) };
}

test("days are local, whatever the hour and whatever the clocks do", () => {
  assert.equal(s.dayOf(at("2027-03-14T00:00")), "2027-03-14");
  assert.equal(s.dayOf(at("2027-03-14T23:59:59")), "2027-03-14");
  assert.equal(s.addDays("2027-02-28", 1), "2027-03-01");
  assert.equal(s.addDays("2028-02-28", 1), "2028-02-29");
  assert.equal(s.addDays("2027-01-01", -1), "2026-12-31");
  for (const day of days("2026-12-25", 400)) {
    assert.equal(s.dayOf(at(`${day}T12:00`)), day);
    assert.equal(s.daysBetween(day, s.addDays(day, 1)), 1);
    assert.equal(s.addDays(s.addDays(day, 30), -30), day);
  }
});

test("the ladder: 1, 3, 7, 14, 30 days, and 30 from then on", () => {
  let state = s.empty();
  let day = "2027-03-01";
  const steps = [];
  for (let n = 0; n < 7; n += 1) {
    state = s.grade(state, key("a"), "right", at(`${day}T23:30`));
    steps.push(s.daysBetween(day, state.items.a.due));
    day = state.items.a.due;
  }
  assert.deepEqual(steps, [1, 3, 7, 14, 30, 30, 30]);
});

test("a mistake starts again tomorrow", () => {
  for (const mark of ["sure", "wrong", "no"]) {
    const state = answered([
      ["2027-03-01T09:00", "right"],
      ["2027-03-02T09:00", "right"],
      ["2027-03-05T09:00", mark],
    ]);
    assert.equal(state.items.a.box, 0);
    assert.equal(state.items.a.due, "2027-03-06");
  }
});

test("a lucky guess and a half answer are not promoted", () => {
  for (const mark of ["lucky", "partly"]) {
    assert.equal(answered([["2027-03-01T09:00", mark]]).items.a.box, 0);
    const state = answered([
      ["2027-03-01T09:00", "right"],
      ["2027-03-02T09:00", "right"],
      ["2027-03-05T09:00", mark],
    ]);
    assert.equal(state.items.a.box, 2);
    assert.equal(state.items.a.due, "2027-03-08");
  }
});

test("right before its day changes nothing, wrong before its day does", () => {
  const early = answered([
    ["2027-03-01T09:00", "right"],
    ["2027-03-02T09:00", "right"],
    ["2027-03-03T09:00", "right"],
  ]);
  assert.equal(early.items.a.box, 2);
  assert.equal(early.items.a.due, "2027-03-05");
  assert.equal(early.items.a.log.length, 3);
  const wrong = s.grade(early, key("a"), "sure", at("2027-03-04T09:00"));
  assert.equal(wrong.items.a.due, "2027-03-05");
  assert.equal(wrong.items.a.box, 0);
});

test("an opened answer is due today; opened before its day it changes nothing", () => {
  const state = answered([["2027-03-01T09:00", "seen"]]);
  assert.equal(state.items.a.due, "2027-03-01");
  const later = answered([["2027-03-01T09:00", "right"]]);
  assert.equal(s.grade(later, key("a"), "seen", at("2027-03-01T10:00")), later);
});

test("a changed question starts afresh, and only that one", () => {
  const state = answered([
    ["2027-03-01T09:00", "right", "a"],
    ["2027-03-01T09:00", "right", "b"],
  ]);
  assert.equal(s.find(state, key("a", "r2")), undefined);
  assert.ok(s.find(state, key("b")));
  const list = [key("a", "r2"), key("b")];
  assert.deepEqual(s.progress(state, list, "2027-03-02"), { total: 2, answered: 1, due: 1 });
  const next = s.grade(state, key("a", "r2"), "right", at("2027-03-02T09:00"));
  assert.equal(next.items.a.log.length, 1);
  assert.equal(next.items.a.rev, "r2");
});

test("the log is bounded", () => {
  let state = s.empty();
  for (let n = 0; n < 80; n += 1) state = s.grade(state, key("a"), "no", 1.8e12 + n);
  assert.equal(state.items.a.log.length, 50);
  assert.equal(state.items.a.log[49][0], 1.8e12 + 79);
});

test("everything comes back before the interview, and not all on one day", () => {
  const interview = "2027-03-20";
  let state = { ...s.empty(), interview };
  const list = [];
  for (let n = 0; n < 60; n += 1) {
    list.push(key(`a${n}`));
    for (const day of ["2027-02-01", "2027-02-02", "2027-02-05", "2027-02-12", "2027-02-26"])
      state = s.grade(state, key(`a${n}`), "right", at(`${day}T12:00`));
    assert.equal(state.items[`a${n}`].due, "2027-03-28");
  }
  const looks = {};
  for (const day of days("2027-02-27", 21))
    for (const { id } of s.plan(state, list, day)) {
      state = s.grade(state, key(id), "right", at(`${day}T12:00`));
      looks[id] = [...(looks[id] ?? []), day];
    }
  assert.equal(Object.keys(looks).length, 60);
  for (const seen of Object.values(looks)) {
    assert.equal(seen.length, 1, "one last look each");
    assert.ok(seen[0] >= "2027-03-17" && seen[0] < interview, seen[0]);
  }
  assert.equal(new Set(Object.values(looks).flat()).size, 3);
});

test("what was answered once, on the day before the eve, comes back on the eve", () => {
  const state = { ...answered([["2027-03-18T09:00", "right"]]), interview: "2027-03-20" };
  assert.equal(s.dueOn("a", state.items.a, "2027-03-18", state.interview), "2027-03-19");
});

test("on the eve, a miss comes back the same evening until it is known", () => {
  const interview = "2027-03-20";
  let state = { ...s.empty(), interview };
  const list = [key("a"), key("b"), key("c")];
  state = s.grade(state, key("a"), "sure", at("2027-03-19T18:00"));
  state = s.grade(state, key("b"), "right", at("2027-03-19T18:01"));
  assert.deepEqual(s.plan(state, list, "2027-03-19").map(({ id }) => id), ["a"]);
  state = s.grade(state, key("a"), "wrong", at("2027-03-19T18:30"));
  assert.deepEqual(s.plan(state, list, "2027-03-19").map(({ id }) => id), ["a"]);
  state = s.grade(state, key("a"), "right", at("2027-03-19T19:00"));
  assert.deepEqual(s.plan(state, list, "2027-03-19"), []);
});

test("an interview that is past or today leaves the ladder alone", () => {
  const item = answered([["2027-03-01T09:00", "right"]]).items.a;
  for (const interview of ["2027-02-01", "2027-03-01"])
    assert.equal(s.dueOn("a", item, "2027-03-01", interview), "2027-03-02");
});

test("a clock that was years ahead does not put a question off for years", () => {
  const item = answered([["2031-03-01T09:00", "right"]]).items.a;
  assert.equal(s.dueOn("a", item, "2027-03-01"), "2027-03-01");
});

test("the plan: confident mistakes, then misses, then guesses; topics mixed", () => {
  const state = answered([
    ["2027-03-01T09:00", "lucky", "a1"],
    ["2027-03-01T09:00", "right", "a2"],
    ["2027-03-01T09:00", "wrong", "a3"],
    ["2027-03-01T09:00", "wrong", "a4"],
    ["2027-03-01T09:00", "no", "b1"],
    ["2027-03-01T09:00", "sure", "b2"],
    ["2027-03-01T09:00", "seen", "c1"],
  ]);
  const list = ["a1", "a2", "a3", "a4", "b1", "b2", "c1", "d1"].map((id) => key(id));
  const ids = s.plan(state, list, "2027-03-02").map(({ id }) => id);
  assert.equal(ids[0], "b2");
  assert.deepEqual(ids.slice(1, 4).sort(), ["a3", "a4", "b1"]);
  assert.equal(ids[2], "b1", "one topic after the other");
  assert.deepEqual(ids.slice(4), ["c1", "a1", "a2"]);
  assert.deepEqual(s.plan(state, list, "2027-03-01").map(({ id }) => id), ["c1"]);
  assert.deepEqual(s.plan(state, list, "2027-03-01", "new").map(({ id }) => id), ["d1"]);
  const missed = s.plan(state, list, "2027-03-01", "missed").map(({ id }) => id);
  assert.deepEqual(missed.sort(), ["a3", "a4", "b1", "b2"]);
});

test("parse: what is whole is kept, what is damaged is dropped", () => {
  const good = answered([["2027-03-01T09:00", "right"]]);
  assert.deepEqual(s.parse(JSON.stringify(good)), { kind: "ok", state: good, dropped: 0 });
  for (const raw of ["", "{", "null", "[]", "5", '"x"', "{}", '{"v":"1","items":{}}', '{"v":1}', '{"v":0,"items":{}}'])
    assert.deepEqual(s.parse(raw), { kind: "corrupt", state: s.empty(), dropped: 0 }, raw);
  const { a } = good.items;
  const bad = [
    null, 1, [], {}, { ...a, rev: 1 }, { ...a, box: 6 }, { ...a, box: "1" }, { ...a, due: "tomorrow" },
    { ...a, due: "2027-02-30" }, { ...a, log: [] }, { ...a, log: [[1]] }, { ...a, log: [["1", "right"]] },
    { ...a, log: [[1, "constructor"]] }, { ...a, log: [[-1, "right"]] }, { ...a, rev: "<b>" },
  ];
  for (const item of bad) {
    const found = s.parse(JSON.stringify({ v: 1, items: { a, b: item } }));
    assert.equal(found.kind, "corrupt", JSON.stringify(item));
    assert.equal(found.dropped, 1);
    assert.deepEqual(Object.keys(found.state.items), ["a"]);
  }
  const text = JSON.stringify({ v: 1, items: {} }).replace("{}", `{"__proto__": ${JSON.stringify(a)}}`);
  assert.equal(s.parse(text).dropped, 1);
  assert.equal(s.find(s.empty(), key("constructor")), undefined);
  assert.equal(s.parse('{"v":1,"items":{},"interview":"soon"}').state.interview, undefined);
});

test("migrations run one after the other; a later version is not read", () => {
  const steps = {
    1: (data) => ({ ...data, v: 2 }),
    2: (data) => ({ ...data, v: 3, items: Object.fromEntries(Object.entries(data.items)) }),
  };
  const good = answered([["2027-03-01T09:00", "right"]]);
  const found = s.parse(JSON.stringify(good), 3, steps);
  assert.equal(found.kind, "ok");
  assert.deepEqual(found.state, { ...good, v: 3 });
  assert.equal(s.parse('{"v":2,"items":{}}').kind, "future");
});

test("merging: the newer answer wins, whichever side it is on", () => {
  const mine = answered([["2027-03-01T09:00", "right", "a"], ["2027-03-05T09:00", "no", "b"]]);
  const theirs = {
    ...answered([["2027-03-02T09:00", "sure", "a"], ["2027-03-04T09:00", "well", "b"], ["2027-03-01T09:00", "right", "c"]]),
    interview: "2027-04-01",
  };
  const { state, ...counts } = s.merge(mine, theirs);
  assert.deepEqual(counts, { added: 1, updated: 1, kept: 1 });
  assert.equal(state.items.a.log[0][1], "sure");
  assert.equal(state.items.b.log[0][1], "no");
  assert.equal(state.interview, "2027-04-01");
  assert.equal(s.merge({ ...mine, interview: "2027-05-01" }, theirs).state.interview, "2027-05-01");
  assert.deepEqual(s.merge(s.empty(), theirs).state, theirs, "a copy round-trips exactly");
  assert.deepEqual(s.merge(theirs, theirs).state, theirs);
});

test("storage: written, read back, and shared by two tabs", () => {
  const storage = new Storage();
  const [one, two] = [opened(storage), opened(storage)];
  one.update((state) => s.grade(state, key("a"), "right", at("2027-03-01T09:00")));
  two.update((state) => s.grade(state, key("b"), "no", at("2027-03-01T09:01")));
  assert.deepEqual(Object.keys(one.load().items), ["a", "b"]);
  assert.deepEqual(one.load(), two.load());
  assert.deepEqual([...one.said, ...two.said], []);
});

test("storage denied: said once, and the page works", () => {
  const store = opened(null, () => {
    throw new Error("SecurityError");
  });
  assert.deepEqual(store.load(), s.empty());
  for (const id of ["a", "b"]) store.update((state) => s.grade(state, key(id), "right", at("2027-03-01T09:00")));
  assert.deepEqual(Object.keys(store.load().items), ["a", "b"]);
  assert.deepEqual(store.said, ["denied"]);
});

test("storage full: said once, nothing stored is lost, and written when there is room", () => {
  const before = JSON.stringify(answered([["2027-03-01T09:00", "right"]]));
  const storage = new Storage({ [s.KEY]: before }, before.length);
  const store = opened(storage);
  for (const id of ["b", "c"]) store.update((state) => s.grade(state, key(id), "right", at("2027-03-01T09:00")));
  assert.equal(storage.getItem(s.KEY), before);
  assert.deepEqual(Object.keys(store.load().items).sort(), ["a", "b", "c"]);
  assert.deepEqual(store.said, ["full"]);
  storage.room = Infinity;
  store.update((state) => s.grade(state, key("d"), "right", at("2027-03-01T09:00")));
  assert.deepEqual(Object.keys(JSON.parse(storage.getItem(s.KEY)).items).sort(), ["a", "b", "c", "d"]);
});

test("damage: copied first, said once, the whole part goes on", () => {
  const good = answered([["2027-03-01T09:00", "right"]]);
  const raw = JSON.stringify({ ...good, items: { ...good.items, b: 1 } });
  const storage = new Storage({ [s.KEY]: raw, [`${s.KEY}:damaged-1`]: "older" });
  const store = opened(storage);
  assert.deepEqual(store.load(), good);
  store.load();
  assert.deepEqual(store.said, ["corrupt"]);
  assert.equal(storage.getItem(`${s.KEY}:damaged-1`), "older");
  assert.equal(storage.getItem(`${s.KEY}:damaged-2`), raw);
  assert.deepEqual(JSON.parse(storage.getItem(s.KEY)), good);
});

test("damage without room for a copy is left where it is", () => {
  const storage = new Storage({ [s.KEY]: "{broken" }, 3);
  const store = opened(storage);
  store.update((state) => s.grade(state, key("a"), "right", at("2027-03-01T09:00")));
  assert.equal(storage.getItem(s.KEY), "{broken");
  assert.deepEqual(Object.keys(store.load().items), ["a"]);
  assert.deepEqual(store.said, ["full"]);
});

test("a future version is never overwritten", () => {
  const raw = '{"v":2,"things":[1]}';
  const storage = new Storage({ [s.KEY]: raw });
  const store = opened(storage);
  for (const id of ["a", "b"]) store.update((state) => s.grade(state, key(id), "right", at("2027-03-01T09:00")));
  assert.deepEqual([...storage.entries], [[s.KEY, raw]]);
  assert.deepEqual(Object.keys(store.load().items), ["a", "b"]);
  assert.deepEqual(store.said, ["future"]);
});

test("forgetting takes only what is named", () => {
  const state = answered([["2027-03-01T09:00", "right", "a"], ["2027-03-01T09:00", "right", "b"]]);
  assert.deepEqual(Object.keys(s.forget(state, ["a", "z"]).items), ["b"]);
});
