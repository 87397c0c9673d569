/* Timeline: choose the version you run, and see what holds there already and
   what an upgrade would bring. Without this the tables are complete. */

const parts = (version) => version.split(".").map(Number);

/* "0.9.0" comes before "0.10"; what is not written counts as zero. */
function compare(a, b) {
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference) return difference;
  }
  return 0;
}

const SHOW = [
  ["all", "everything"],
  ["yours", "what your version has"],
  ["later", "what came later"],
];

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function choice(label, options) {
  const select = element(
    "select",
    {},
    ...options.map(([value, text]) => element("option", { value }, text)),
  );
  return [element("label", {}, `${label} `, select), select];
}

function addFilter(timeline) {
  if (timeline.querySelector(".timeline__filter")) return;
  const name = timeline.dataset.package;
  const rows = [...timeline.querySelectorAll("tbody tr")].map((row) => ({
    row,
    version: row.cells[0].textContent.trim(),
  }));
  const versions = [...new Set(rows.map(({ version }) => version))];
  const [versionLabel, version] = choice(`My ${name} is`, [
    ["", "not chosen"],
    ...versions.map((text) => [text, text]),
    ["0", `older than ${versions.at(-1)}`],
  ]);
  const [showLabel, show] = choice("Show", SHOW);
  const status = element("p", { className: "timeline__status" });
  status.setAttribute("role", "status");

  const update = () => {
    show.disabled = !version.value;
    let later = 0;
    for (const entry of rows) {
      const after = !!version.value && compare(entry.version, version.value) > 0;
      later += after;
      entry.row.classList.toggle("later", after);
      entry.row.hidden =
        !!version.value &&
        ((show.value === "yours" && after) || (show.value === "later" && !after));
    }
    status.textContent = version.value
      ? `${rows.length - later} changes are in your version; ${later} came later.`
      : "";
  };
  version.addEventListener("change", update);
  show.addEventListener("change", update);
  timeline.prepend(
    element("div", { className: "timeline__filter" }, versionLabel, showLabel, status),
  );
  update();
}

export function start() {
  document.querySelectorAll(".timeline").forEach(addFilter);
}
