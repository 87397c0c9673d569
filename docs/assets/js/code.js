/* Code: a copy button, and Tab stops on what scrolls sideways. Header: names
   and real buttons where the theme has none. */

const all = (selector) => document.querySelectorAll(selector);

function newButton() {
  const button = document.createElement("button");
  button.type = "button";
  return button;
}

/* Not the theme's copy button: that one brings an unnamed <nav> per block,
   and has no type, so that it would submit a form around it. */
function addCopyButton(pre) {
  const code = pre.querySelector("code");
  if (!navigator.clipboard || !code) return;
  if (pre.closest(".code-wrong, .no-copy, .output")) return;
  if (pre.parentElement.querySelector(".copy")) return;
  const button = newButton();
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    let text = code.textContent;
    /* Of a console session the commands are wanted, not prompts or output. */
    if (code.querySelector(".gp")) {
      const copy = code.cloneNode(true);
      copy.querySelectorAll(".gp, .go").forEach((span) => span.remove());
      text = copy.textContent.replace(/\n+/g, "\n");
    }
    await navigator.clipboard.writeText(text.trimEnd() + "\n");
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  pre.after(button);
}

/* What overflows must be reachable by Tab. A group, not a region: dozens of
   landmarks on a page would bury the real ones. */
const STOP = { tabindex: 0, role: "group", "aria-label": "Scrolls sideways" };
const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const scrolls = target.scrollWidth > target.clientWidth;
    if (!scrolls && target.getAttribute("role") !== "group") continue;
    for (const name in STOP)
      if (scrolls) target.setAttribute(name, STOP[name]);
      else target.removeAttribute(name);
  }
});

/* On narrow screens the theme opens navigation and search by labels, which
   Tab cannot reach: put a button into each. */
function addHeaderButton(id, name) {
  const box = document.getElementById(id);
  const label = document.querySelector(`.md-header__button[for="${id}"]`);
  if (!label || label.querySelector("button")) return;
  const button = newButton();
  const state = () => button.setAttribute("aria-expanded", box.checked);
  button.setAttribute("aria-label", name);
  button.append(...label.childNodes);
  button.addEventListener("click", () => box.click());
  box.addEventListener("change", state);
  state();
  label.append(button);
}

/* Also for what a script puts into the page later. */
export function prepare(within) {
  within
    .querySelectorAll(".highlight > pre, .message--request > pre")
    .forEach(addCopyButton);
  within
    .querySelectorAll(":is(pre > code, .md-typeset__scrollwrap)")
    .forEach((box) => sizes.observe(box));
}

const pages = window.document$ ?? { subscribe: (run) => run() };
pages.subscribe(() => {
  addHeaderButton("__drawer", "Navigation");
  addHeaderButton("__search", "Search");
  all(".md-search").forEach((box) => box.setAttribute("aria-label", "Search"));
  all(".md-path").forEach((path) => path.setAttribute("aria-label", "Path"));
  sizes.disconnect();
  all(".md-content").forEach(prepare);
});
