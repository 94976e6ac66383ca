// Elements from data: text is always text, never markup.

function make(space, tag, attributes, children) {
  const node = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined) node.append(child);
  }
  return node;
}

const el = (tag, attributes, ...children) => make(null, tag, attributes, children);
const svg = (tag, attributes, ...children) => make("http://www.w3.org/2000/svg", tag, attributes, children);

// A labelled <select>; options are [value, text] or {group, options}.
function select(label, options, value, changed) {
  const entry = ([v, text]) => el("option", { value: v, selected: v === value }, text);
  const node = el("select", { "aria-label": label, onchange: () => changed(node.value) },
    options.map((o) => (o.group ? el("optgroup", { label: o.group }, o.options.map(entry)) : entry(o))));
  return el("label", {}, label, node);
}

// Buttons of which one is pressed.
function choice(label, options, value, changed) {
  const buttons = options.map(([v, text]) => el("button", {
    type: "button", "data-value": v, "aria-pressed": String(v === value),
    onclick: () => {
      for (const b of buttons) b.setAttribute("aria-pressed", String(b.dataset.value === String(v)));
      changed(v);
    },
  }, text));
  return el("span", { class: "group", role: "group", "aria-label": label }, buttons);
}

function section(title, id, ...controls) {
  return el("section", { id, "aria-labelledby": `${id}-title` },
    el("div", { class: "head" }, el("h2", { id: `${id}-title` }, title), el("div", { class: "controls" }, controls)));
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const shown = (value, digits) => (isNumber(value) ? value.toFixed(digits) : "\u2013");
const significant = (value) => (isNumber(value) ? Number(value.toPrecision(3)).toString() : "\u2013");
