// BD-rates: a table of every codec against one, and what the difference costs in time.

// What both sections show: the anchor and the metric; null without BD-rates.
function comparison(data) {
  const rates = (metric, anchor) => (data.bd[metric] || {})[anchor] || {};
  const some = (metric, anchor) => Object.keys(rates(metric, anchor)).length > 0;
  const metrics = data.metrics.filter((m) => data.codecs.some((c) => some(m.id, c.id)));
  const anchors = data.codecs.filter((c) => metrics.some((m) => some(m.id, c.id)));
  if (!anchors.length) return null;
  const watchers = [];
  return {
    metrics, anchors,
    metric: metrics[0],
    anchor: anchors.find((c) => c.id === data.default_anchor) || anchors[0],
    rates() { return rates(this.metric.id, this.anchor.id); },
    watch(watcher) { watchers.push(watcher); },
    set(name, id) {
      this[name] = this[`${name}s`].find((entry) => entry.id === id);
      for (const watcher of watchers) watcher();
    },
  };
}

function bdSection(data, style, compared) {
  if (!compared) return null;
  const entry = (c) => [c.id, c.title];
  const groups = [
    { group: "measured here", options: compared.anchors.filter((c) => !c.published).map(entry) },
    { group: "published", options: compared.anchors.filter((c) => c.published).map(entry) },
  ].filter((g) => g.options.length);
  const holder = el("div", { id: "bd-table" });
  const box = section("BD-rate", "bd",
    select("Against", groups, compared.anchor.id, (v) => compared.set("anchor", v)),
    select("at equal", compared.metrics.map(entry), compared.metric.id, (v) => compared.set("metric", v)));
  box.append(el("p", { class: "note" }, "Percent more bytes for the same quality, averaged over the range; below zero is fewer."), holder);
  const find = (id) => data.codecs.find((c) => c.id === id) || { id, title: id };
  const name = (id) => [el("span", { class: "name" }, style[id] ? key(style[id]) : null, find(id).title), ""];

  function bar(percent, low, high) {
    const at = (v) => (100 * (v - low)) / (high - low || 1);
    const from = Math.min(at(0), at(percent)), long = Math.abs(at(percent) - at(0));
    return el("span", { class: "bar", "aria-hidden": "true" },
      el("i", { class: percent < 0 ? "good" : "bad", style: `left:${from.toFixed(2)}%;width:${long.toFixed(2)}%` }),
      el("b", { style: `left:${at(0).toFixed(2)}%` }));
  }
  function draw() {
    const found = Object.entries(compared.rates());
    if (!found.length) {
      holder.replaceChildren(el("p", { class: "note" }, `${compared.anchor.title} has no ${compared.metric.title}.`));
      return;
    }
    const able = found.filter(([, r]) => isNumber(r.percent)).sort((a, b) => a[1].percent - b[1].percent);
    const low = Math.min(0, ...able.map(([, r]) => r.percent)), high = Math.max(0, ...able.map(([, r]) => r.percent));
    const range = (r) => `${significant(r.low)}${DASH}${significant(r.high)}${compared.metric.unit ? ` ${compared.metric.unit}` : ""}`;
    holder.replaceChildren(table([["codec", ""], ["BD-rate", "number"], ["", "bars"], ["range", ""]], [
      ...able.map(([id, r]) => [name(id), [`${signed(r.percent)} %`, `number ${r.percent < 0 ? "good" : "bad"}`],
        [bar(r.percent, low, high), "bars"],
        [[range(r), r.shrunk ? el("small", { title: "The curves do not cover the usual range." }, "all they share") : null], "range"]]),
      ...found.filter(([, r]) => !isNumber(r.percent)).map(([id, r]) => [name(id), [`none: ${r.refused}`, "quiet", 3]]),
    ]));
  }
  compared.watch(draw);
  return { box, draw };
}

const COSTS = [
  ["decode_s", "decode", "seconds to decode a picture (median)", (c) => c.decode_s],
  ["encode_s", "encode", "seconds to encode a picture (median)", (c) => c.encode_s],
  ["kmac", "kMAC", "thousand multiplications per pixel to decode", (c) => c.kmac && c.kmac[1]],
];

function speedSection(data, style, compared) {
  const ours = data.codecs.filter((c) => !c.published);
  const costs = COSTS.filter(([, , , of]) => ours.filter((c) => of(c) > 0).length > 1);
  if (!compared || !costs.length) return null;
  let [, , axis, of] = costs[0];
  const holder = el("div", { class: "chart", id: "speed-chart" });
  const under = el("p", { class: "note" });
  const chosen = (v) => { [, , axis, of] = costs.find(([id]) => id === v); draw(); };
  const box = section("Speed and quality", "speed",
    costs.length > 1 ? choice("Cost", costs.map(([id, text]) => [id, text]), costs[0][0], chosen) : null);
  box.append(holder, under);

  function draw() {
    const { anchor, metric } = compared, rates = compared.rates();
    const percent = (c) => (c.id === anchor.id ? 0 : (rates[c.id] || {}).percent);
    const points = ours.map((c) => ({ c, x: of(c), y: percent(c) })).filter((p) => p.x > 0 && isNumber(p.y));
    under.textContent = `Rate against ${anchor.title} at equal ${metric.title}; down and to the left is better.`;
    if (!points.length) { holder.replaceChildren(el("p", { class: "note" }, "No codec can be compared with this one.")); return; }
    chart(holder,
      { label: axis, log: true, ...extent(points.map((p) => p.x), true, 0.12) },
      { label: "BD-rate, %", zero: true, ...extent([0, ...points.map((p) => p.y)], false, 0.1) },
      points.map(({ c, x, y }) => ({
        ...style[c.id], id: c.id, label: c.id,
        points: [{ x, y, title: c.title, text: `${significant(x)}${axis.startsWith("seconds") ? " s" : " kMAC/px"}, ${signed(y)} %` }],
      })), "speed");
  }
  compared.watch(draw);
  return { box, draw };
}
