// A chart of curves or of single points. A tip tells the point under the pointer, the finger or the keyboard.

const MARGIN = { left: 46, right: 14, top: 30, bottom: 40 };
const NEAR = 40; // CSS pixels within which a point is pointed at
const LETTER = 6.4; // CSS pixels, of labels

// series: [{id, label, colour, dash, mark, line, published, points: [{x, y, title, text}]}] -> {highlight(id or null)}
function chart(holder, x, y, series, name) {
  const width = Math.max(280, holder.clientWidth || 640);
  const height = Math.round(Math.min(width * (width < 600 ? 0.78 : 0.6), 470));
  const right = width - MARGIN.right, bottom = height - MARGIN.bottom;
  const sx = scale(x, width / 110), sy = scale(y, height / 65);
  const px = (v) => MARGIN.left + sx.at(v) * (right - MARGIN.left);
  const py = (v) => MARGIN.top + (1 - sy.at(v)) * (bottom - MARGIN.top);
  const tick = (v) => Number(v.toPrecision(6)).toString().replace("-", MINUS);
  const tip = el("div", { class: "tip", role: "status", hidden: true });
  const area = svg("g", { "clip-path": `url(#clip-${name})` });
  const labels = svg("g", {});
  const told = `${y.label} over ${x.label}; arrow keys go from point to point`;
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": told },
    svg("clipPath", { id: `clip-${name}` },
      svg("rect", { x: MARGIN.left - 6, y: MARGIN.top - 6, width: right - MARGIN.left + 12, height: bottom - MARGIN.top + 12 })),
    sy.ticks.map((v) => [
      svg("line", { class: v === 0 && y.zero ? "grid zero" : "grid", x1: MARGIN.left, x2: right, y1: py(v), y2: py(v) }),
      svg("text", { x: MARGIN.left - 8, y: py(v) + 4, "text-anchor": "end" }, tick(v))]),
    sx.ticks.map((v) => [
      svg("line", { class: "grid", x1: px(v), x2: px(v), y1: MARGIN.top, y2: bottom }),
      svg("text", { x: px(v), y: bottom + 17, "text-anchor": "middle" }, tick(v))]),
    svg("text", { class: "axis", x: right, y: height - 5, "text-anchor": "end" }, x.label),
    svg("text", { class: "axis", x: 2, y: 14 }, y.label));

  const curves = []; // [{id, node, places}], a place being a point on the chart
  for (const s of series) {
    const points = s.points.filter((p) => isNumber(p.x) && isNumber(p.y) && (!x.log || p.x > 0));
    const node = svg("g", { class: s.published ? "series published" : "series", "data-codec": s.id, fill: s.colour });
    const path = points.map((p, k) => `${k ? "L" : "M"}${px(p.x).toFixed(1)} ${py(p.y).toFixed(1)}`).join("");
    if (s.line) node.append(svg("path", { class: "curve", d: path, stroke: s.colour, "stroke-dasharray": s.dash }));
    const places = [];
    for (const p of points) {
      const place = { id: s.id, x: px(p.x), y: py(p.y), title: p.title, text: p.text, label: s.label };
      const inside = p.x >= x.low && p.x <= x.high && p.y >= y.low && p.y <= y.high;
      place.node = svg("path", {
        class: "point", d: s.mark ? s.mark(s.line ? 4 : 6) : circle(2), transform: `translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})`,
        tabindex: inside ? -1 : null, role: inside ? "img" : null, "aria-label": inside ? `${p.title}, ${p.text}` : null,
        onfocus: () => show(place), onblur: hide,
      });
      node.append(place.node);
      if (inside) places.push(place);
    }
    area.append(node);
    if (places.length) curves.push({ id: s.id, node, places });
  }
  const all = curves.flatMap((c) => c.places);
  root.append(area, labels);
  if (series.length && !series[0].line) label(labels, all, right);
  const first = (curves.find((c) => !c.node.classList.contains("published")) || curves[0] || { places: [] }).places[0];
  if (first) first.node.setAttribute("tabindex", 0);

  function highlight(id) {
    area.classList.toggle("dimmed", id !== null && curves.some((c) => c.id === id));
    for (const c of curves) c.node.classList.toggle("hot", c.id === id);
  }
  function show(place) {
    tip.replaceChildren(el("strong", {}, place.title), place.text);
    tip.hidden = false;
    const factor = root.clientWidth / width || 1, above = place.y * factor - tip.offsetHeight - 12;
    tip.style.left = `${Math.min(Math.max(0, place.x * factor + 10), Math.max(0, holder.clientWidth - tip.offsetWidth))}px`;
    tip.style.top = `${above >= 0 ? above : place.y * factor + 14}px`;
    highlight(place.id);
  }
  function hide() { tip.hidden = true; highlight(null); }
  const closest = (places, at) => {
    const distance = (p) => Math.hypot(p.x - at.x, p.y - at.y);
    return places.reduce((a, b) => (a && distance(a) <= distance(b) ? a : b), null);
  };
  function point(event) {
    const box = root.getBoundingClientRect(), factor = width / box.width;
    const at = { x: (event.clientX - box.left) * factor, y: (event.clientY - box.top) * factor };
    const found = closest(all, at);
    if (found && Math.hypot(found.x - at.x, found.y - at.y) < NEAR * Math.max(1, factor)) show(found); else hide();
  }
  root.addEventListener("pointermove", point);
  root.addEventListener("pointerdown", point);
  root.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
  root.addEventListener("keydown", (event) => {
    const now = all.find((p) => p.node === event.target);
    if (!now) return;
    const at = curves.findIndex((c) => c.id === now.id), along = curves[at].places, k = along.indexOf(now);
    const beside = (step) => closest((curves[at + step] || curves[at]).places, now);
    const moves = {
      ArrowLeft: () => along[k - 1], ArrowRight: () => along[k + 1], Home: () => along[0], End: () => along[along.length - 1],
      ArrowUp: () => beside(-1), ArrowDown: () => beside(1), Escape: () => { hide(); return null; },
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const next = moves[event.key]();
    if (!next || next === now) return;
    now.node.setAttribute("tabindex", -1);
    next.node.setAttribute("tabindex", 0);
    next.node.focus();
  });
  holder.replaceChildren(root, tip);
  return { highlight };
}

// Names beside single points, each on the first side where it meets no other name or point.
function label(holder, places, right) {
  const taken = places.map((p) => ({ left: p.x - 7, right: p.x + 7, top: p.y - 7, bottom: p.y + 7 }));
  for (const p of places) {
    const long = p.label.length * LETTER;
    const sides = [[11, 4, "start"], [-11, 4, "end"], [0, -11, "middle"], [0, 19, "middle"]].map(([dx, dy, anchor]) => {
      const left = p.x + dx - { start: 0, end: long, middle: long / 2 }[anchor];
      return { dx, dy, anchor, left, right: left + long, top: p.y + dy - 10, bottom: p.y + dy + 2 };
    });
    const meets = (a) => taken.some((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom);
    const side = sides.find((s) => s.left > MARGIN.left && s.right < right && !meets(s)) || sides[0];
    taken.push(side);
    holder.append(svg("text", { class: "label", x: p.x + side.dx, y: p.y + side.dy, "text-anchor": side.anchor }, p.label));
  }
}
