// Rate-distortion curves, and speed against quality.

const DASHES = ["", "6 3", "2 3", "8 3 2 3", "4 2", "1 3"];
const measuredOnes = (data) => data.codecs.filter((c) => !c.published);

// Every codec keeps its colour on the whole page.
function styles(data) {
  const found = {};
  let ours = 0, theirs = 0;
  for (const c of data.codecs) {
    if (c.published) found[c.id] = { colour: "var(--published)", dash: DASHES[1 + (theirs++ % 5)] };
    else { found[c.id] = { colour: `var(--c${ours % 8})`, dash: ours >= 8 ? "6 2" : "" }; ours++; }
  }
  return found;
}

function key(style) {
  return svg("svg", { viewBox: "0 0 22 10", "aria-hidden": "true" },
    svg("line", { x1: 0, x2: 22, y1: 5, y2: 5, stroke: style.colour, "stroke-width": 2.2, "stroke-dasharray": style.dash }));
}

function curvesSection(data, style) {
  const metrics = data.metrics.filter((m) => data.codecs.some((c) => c.points.some((p) => isNumber(p[m.id]))));
  if (!metrics.length || !data.codecs.some((c) => c.points.length > 1)) return null;
  const state = { metric: metrics[0].id, log: true, on: new Set(data.codecs.filter((c) => c.shown !== false).map((c) => c.id)) };
  const holder = el("div", { class: "chart", id: "rd-chart" });
  const legend = el("div", { class: "legend" });
  const more = el("div", { class: "legend" });
  const box = section("Rate and distortion", "rd",
    select("Metric", metrics.map((m) => [m.id, m.title]), state.metric, (v) => { state.metric = v; draw(); }),
    choice("Rate axis", [["log", "log"], ["linear", "linear"]], "log", (v) => { state.log = v === "log"; draw(); }));
  for (const c of data.codecs) {
    const button = el("button", {
      type: "button", "aria-pressed": String(state.on.has(c.id)), "data-codec": c.id,
      onclick: () => {
        if (!state.on.delete(c.id)) state.on.add(c.id);
        button.setAttribute("aria-pressed", String(state.on.has(c.id)));
        draw();
      },
    }, key(style[c.id]), c.published ? `${c.title}` : c.title);
    (c.published && c.shown === false ? more : legend).append(button);
  }
  box.append(holder, legend);
  if (more.childNodes.length) box.append(el("details", { open: more.childNodes.length < 9 }, el("summary", {}, `More published curves (${more.childNodes.length})`), more));

  function draw() {
    const metric = metrics.find((m) => m.id === state.metric);
    const text = (c, p) => `${c.title}\n${p.setting ? `${c.parameter} ${p.setting}: ` : ""}${shown(p.bpp, 3)} bpp, ${shown(p[metric.id], metric.digits)} ${metric.unit}`;
    const chosen = data.codecs.filter((c) => state.on.has(c.id));
    const extent = chosen.filter((c) => !c.published).length ? chosen.filter((c) => !c.published) : chosen;
    const points = extent.flatMap((c) => c.points.filter((p) => isNumber(p[metric.id])));
    if (!points.length) { holder.replaceChildren(el("p", { class: "note" }, "Nothing is chosen.")); return; }
    const range = (values, log) => {
      const low = Math.min(...values), high = Math.max(...values);
      return log ? { low: low * 0.9, high: high * 1.1 } : { low: low - (high - low) * 0.04, high: high + (high - low) * 0.04 };
    };
    const x = { label: "bits per pixel", log: state.log, ...range(points.map((p) => p.bpp), state.log) };
    if (!state.log) x.low = 0;
    const y = { label: metric.unit ? `${metric.title}, ${metric.unit}` : metric.title, ...range(points.map((p) => p[metric.id])) };
    const ordered = [...chosen.filter((c) => c.published), ...chosen.filter((c) => !c.published)];
    chart(holder, x, y, ordered.map((c) => ({
      ...style[c.id], label: c.title, published: c.published, line: true,
      points: c.points.map((p) => ({ x: p.bpp, y: p[metric.id], text: text(c, p) })),
    })), "rd");
  }
  return { box, draw };
}

function speedSection(data, style) {
  const ours = measuredOnes(data).filter((c) => isNumber(c.decode_s) && isNumber(c.encode_s));
  const metrics = data.metrics.filter((m) => Object.keys(data.bd[m.id] || {}).length);
  if (ours.length < 2 || !metrics.length) return null;
  const anchors = data.codecs.filter((c) => metrics.some((m) => (data.bd[m.id] || {})[c.id]));
  const state = { side: "decode_s", anchor: anchors.some((c) => c.id === data.default_anchor) ? data.default_anchor : anchors[0].id };
  const holder = el("div", { class: "chart", id: "speed-chart" });
  const box = section("Speed and quality", "speed",
    choice("Direction", [["decode_s", "decode"], ["encode_s", "encode"]], state.side, (v) => { state.side = v; draw(); }),
    select("BD-rate against", anchors.map((c) => [c.id, c.title]), state.anchor, (v) => { state.anchor = v; draw(); }));
  const under = el("p", { class: "note" });
  box.append(holder, under);

  function draw() {
    const metric = metrics[0], table = (data.bd[metric.id] || {})[state.anchor] || {};
    const anchor = data.codecs.find((c) => c.id === state.anchor);
    const points = ours.map((c) => ({ c, x: c[state.side], y: c.id === state.anchor ? 0 : (table[c.id] || {}).percent })).filter((p) => isNumber(p.y));
    if (!points.length) { holder.replaceChildren(el("p", { class: "note" }, "No codec can be compared with this anchor.")); under.textContent = ""; return; }
    const values = points.map((p) => p.y), times = points.map((p) => p.x);
    const pad = Math.max(4, (Math.max(...values) - Math.min(...values)) * 0.08);
    chart(holder,
      { label: `seconds to ${state.side === "decode_s" ? "decode" : "encode"} a picture, median, one core`, log: true, low: Math.min(...times) / 1.5, high: Math.max(...times) * 1.9 },
      { label: `BD-rate (${metric.title}), %`, low: Math.min(...values) - pad, high: Math.max(...values) + pad },
      points.map(({ c, x, y }) => ({ ...style[c.id], label: c.id, points: [{ x, y, text: `${c.title}\n${significant(x)} s, ${y.toFixed(1)} %` }] })), "speed");
    under.textContent = `Down and to the left is better. Rate against ${anchor.title} at equal ${metric.title}.`;
  }
  return { box, draw };
}
