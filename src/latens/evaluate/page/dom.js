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

// headings: [text, class]; rows: lists of [content, class, columns it spans].
function table(headings, rows) {
  const cell = ([content, kind, span], k) => el("td", { class: kind || null, colspan: span, "data-label": headings[k][0] }, content);
  return el("div", { class: "scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, headings.map(([text, kind]) => el("th", { class: kind || null, scope: "col" }, text)))),
    el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map(cell))))));
}

const MINUS = "\u2212", DASH = "\u2013";
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const shown = (value, digits = 2) => (isNumber(value) ? value.toFixed(digits).replace("-", MINUS) : DASH);
const significant = (value) => (isNumber(value) ? Number(value.toPrecision(3)).toString().replace("-", MINUS) : DASH);
const signed = (value) => (Number(value.toFixed(1)) > 0 ? "+" : "") + shown(Number(value.toFixed(1)) + 0, 1);
const withUnit = (text, unit) => (unit ? `${text}, ${unit}` : text);
