// BD-rates, codecs, failures.

function table(headings, rows) {
  return el("div", { class: "scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, headings.map(([text, kind]) => el("th", { class: kind, scope: "col" }, text)))),
    el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map(([text, kind]) => el("td", { class: kind }, text)))))));
}

function bdSection(data) {
  const metrics = data.metrics.filter((m) => Object.keys(data.bd[m.id] || {}).length);
  if (!metrics.length || measuredOnes(data).length < 1) return null;
  const title = (id) => (data.codecs.find((c) => c.id === id) || { title: id }).title;
  const anchors = data.codecs.filter((c) => metrics.some((m) => Object.keys((data.bd[m.id] || {})[c.id] || {}).length));
  if (!anchors.length) return null;
  const state = { metric: metrics[0].id, anchor: anchors.some((c) => c.id === data.default_anchor) ? data.default_anchor : anchors[0].id };
  const entry = (c) => [c.id, c.title];
  const groups = [{ group: "measured here", options: anchors.filter((c) => !c.published).map(entry) }];
  if (anchors.some((c) => c.published)) groups.push({ group: "published", options: anchors.filter((c) => c.published).map(entry) });
  const holder = el("div", { id: "bd-table" });
  const box = section("BD-rate", "bd",
    select("Against", groups, state.anchor, (v) => { state.anchor = v; draw(); }),
    select("at equal", metrics.map((m) => [m.id, m.title]), state.metric, (v) => { state.metric = v; draw(); }));
  box.append(el("p", { class: "note" }, "Percent more bytes for the same quality, averaged over the range given; below zero is fewer."), holder);

  function draw() {
    const metric = metrics.find((m) => m.id === state.metric);
    const found = Object.entries((data.bd[metric.id] || {})[state.anchor] || {});
    const able = found.filter(([, r]) => isNumber(r.percent)).sort((a, b) => a[1].percent - b[1].percent);
    const refused = found.filter(([, r]) => !isNumber(r.percent));
    const sign = (v) => (v > 0 ? "+" : v < 0 ? "\u2212" : "") + Math.abs(v).toFixed(1);
    holder.replaceChildren(table([["codec", ""], ["BD-rate", "number"], ["range", ""], ["", ""]], [
      ...able.map(([id, r]) => [[title(id), ""], [`${sign(r.percent)} %`, `number ${r.percent < 0 ? "good" : "bad"}`],
        [`${significant(r.low)}\u2013${significant(r.high)} ${metric.unit}`, ""], [r.shrunk ? "curves cover no more" : "", "quiet"]]),
      ...refused.map(([id, r]) => [[title(id), ""], ["\u2013", "number"], ["", ""], [r.refused, "quiet wide"]]),
    ]));
  }
  return { box, draw };
}

function codecsSection(data, style) {
  const ours = measuredOnes(data);
  const any = (name) => ours.some((c) => c[name] !== null && c[name] !== undefined);
  const headings = [["codec", ""], ["version", ""], ["options", ""]];
  const columns = [
    ["encode s", "encode_s", (c) => significant(c.encode_s)], ["decode s", "decode_s", (c) => significant(c.decode_s)],
    ["peak MB", "peak_mb", (c) => shown(c.peak_mb, 0)], ["kMAC/px", "kmac", (c) => (c.kmac ? c.kmac.map(significant).join(" + ") : "\u2013")],
    ["parameters", "parameters", (c) => (c.parameters ? `${(c.parameters / 1e6).toFixed(2)} M` : "\u2013")],
  ].filter(([, name]) => any(name));
  const box = section("What was run", "codecs");
  box.append(table([...headings, ...columns.map(([text]) => [text, "number"])], ours.map((c) => [
    [el("span", {}, key(style[c.id]).cloneNode(true), " ", c.title), ""], [c.version || "", "wide"], [c.options || "", "quiet wide"],
    ...columns.map(([, , value]) => [value(c), "number"])])));
  for (const icon of box.querySelectorAll("td svg")) icon.setAttribute("width", 22);
  const versions = Object.entries(data.versions || {}).map(([name, v]) => `${name} ${v}`).join(", ");
  for (const note of data.notes || []) box.append(el("p", { class: "note" }, note));
  box.append(el("p", { class: "note" }, [data.machine, versions].filter(Boolean).join("; ")), el("p", {}, el("code", {}, data.command || "")));
  return box;
}

function failuresSection(data) {
  if (!(data.failures || []).length) return null;
  const box = section(`Failed (${data.failures.length})`, "failures");
  box.append(table([["codec", ""], ["setting", ""], ["picture", ""], ["why", ""]],
    data.failures.map((f) => [[f.codec, ""], [f.setting, ""], [f.picture, ""], [f.error, "wide"]])));
  return box;
}
