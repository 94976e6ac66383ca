// Rate and distortion: the mean curve of every codec.

function curvesSection(data, style) {
  const metrics = data.metrics.filter((m) => data.codecs.some((c) => c.points.some((p) => isNumber(p[m.id]))));
  if (!metrics.length || !data.codecs.some((c) => c.points.length > 1)) return null;
  const state = { metric: metrics[0], log: true, on: new Set(data.codecs.filter((c) => c.shown !== false).map((c) => c.id)) };
  const holder = el("div", { class: "chart", id: "rd-chart" });
  const measure = (id) => { state.metric = metrics.find((m) => m.id === id); draw(); };
  const box = section("Rate and distortion", "rd",
    select("Metric", metrics.map((m) => [m.id, m.title]), state.metric.id, measure),
    choice("Rate axis", [["log", "log"], ["linear", "linear"]], "log", (v) => { state.log = v === "log"; draw(); }));
  let drawn = null;

  function entry(c) {
    const button = el("button", {
      type: "button", "aria-pressed": String(state.on.has(c.id)), "data-codec": c.id,
      onclick: () => {
        if (!state.on.delete(c.id)) state.on.add(c.id);
        button.setAttribute("aria-pressed", String(state.on.has(c.id)));
        draw();
      },
      onpointerenter: () => drawn && drawn.highlight(c.id), onpointerleave: () => drawn && drawn.highlight(null),
    }, key(style[c.id]), c.title);
    return button;
  }
  const legend = (label, codecs) => el("div", { class: "legend", role: "group", "aria-label": label }, codecs.map(entry));
  const ours = data.codecs.filter((c) => !c.published), theirs = data.codecs.filter((c) => c.published);
  const more = theirs.filter((c) => c.shown === false), few = theirs.filter((c) => c.shown !== false);
  box.append(holder);
  if (ours.length) box.append(legend("Measured here", ours));
  if (few.length) box.append(el("p", { class: "note rule" }, "Published by others, grey and thin:"), legend("Published", few));
  if (more.length) box.append(el("details", {}, el("summary", {}, `${more.length} more published curves`), legend("More published curves", more)));

  function draw() {
    const metric = state.metric;
    const chosen = data.codecs.filter((c) => state.on.has(c.id));
    const measured = chosen.filter((c) => !c.published);
    const points = (measured.length ? measured : chosen).flatMap((c) => c.points.filter((p) => isNumber(p[metric.id]) && isNumber(p.bpp)));
    if (!points.length) {
      drawn = null;
      holder.replaceChildren(el("p", { class: "note" }, chosen.length ? `No chosen curve has ${metric.title}.` : "No curve is chosen."));
      return;
    }
    const x = { label: "bits per pixel", log: state.log, ...extent(points.map((p) => p.bpp), state.log, 0.04) };
    if (!state.log) x.low = 0;
    const better = metric.better === "lower" ? " (lower is better)" : "";
    const y = { label: withUnit(metric.title, metric.unit) + better, ...extent(points.map((p) => p[metric.id]), false, 0.05) };
    const text = (c, p) => {
      const setting = p.setting ? `${c.parameter ? `${c.parameter} ` : ""}${p.setting}: ` : "";
      return `${setting}${shown(p.bpp, 3)} bpp, ${shown(p[metric.id], metric.digits)}${metric.unit ? ` ${metric.unit}` : ""}`;
    };
    drawn = chart(holder, x, y, [...chosen.filter((c) => c.published), ...measured].map((c) => ({
      ...style[c.id], id: c.id, label: c.title, published: c.published, line: true,
      points: c.points.map((p) => ({ x: p.bpp, y: p[metric.id], title: c.title, text: text(c, p) })),
    })), "rd");
  }
  return { box, draw };
}
