// A chart of curves or points: linear or logarithmic axes, a tip on the nearest point by pointer, touch or focus.

const MARGIN = { left: 52, right: 14, top: 10, bottom: 42 };

function linearTicks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(k * step);
  return ticks;
}

function logTicks(low, high) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const m of [1, 2, 5]) {
      const tick = m * 10 ** power;
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
    }
  }
  return ticks;
}

// axis: {label, log, low, high} -> {at(value) in 0..1, ticks}
function scale(axis, count) {
  const f = axis.log ? Math.log10 : (v) => v;
  const low = f(axis.low), span = f(axis.high) - low || 1;
  return { at: (value) => (f(value) - low) / span, ticks: axis.log ? logTicks(axis.low, axis.high) : linearTicks(axis.low, axis.high, count) };
}

// series: [{label, colour, dash, line, published, points: [{x, y, text}]}]
function chart(holder, x, y, series, name) {
  const width = Math.max(280, holder.clientWidth || 640);
  const height = Math.round(Math.min(width * 0.62, 470));
  const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
  const sx = scale(x, width / 110), sy = scale(y, 7);
  const px = (v) => MARGIN.left + sx.at(v) * inner.width;
  const py = (v) => MARGIN.top + (1 - sy.at(v)) * inner.height;
  const tick = (v) => Number(v.toPrecision(6)).toString();
  const clip = `clip-${name}`;
  const tip = el("div", { class: "tip", role: "status", hidden: true });
  const flat = [];
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `${y.label} over ${x.label}` },
    svg("clipPath", { id: clip }, svg("rect", { x: MARGIN.left - 5, y: MARGIN.top - 5, width: inner.width + 10, height: inner.height + 10 })),
    sy.ticks.map((v) => [
      svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: py(v), y2: py(v) }),
      svg("text", { x: MARGIN.left - 8, y: py(v) + 4, "text-anchor": "end" }, tick(v))]),
    sx.ticks.map((v) => [
      svg("line", { class: "grid", x1: px(v), x2: px(v), y1: MARGIN.top, y2: height - MARGIN.bottom }),
      svg("text", { x: px(v), y: height - MARGIN.bottom + 18, "text-anchor": "middle" }, tick(v))]),
    svg("text", { x: MARGIN.left + inner.width / 2, y: height - 6, "text-anchor": "middle" }, x.label),
    svg("text", { x: 13, y: MARGIN.top + inner.height / 2, "text-anchor": "middle", transform: `rotate(-90 13 ${MARGIN.top + inner.height / 2})` }, y.label));
  const area = svg("g", { "clip-path": `url(#${clip})` });
  for (const s of series) {
    const inside = s.points.filter((p) => isNumber(p.x) && isNumber(p.y) && (!x.log || p.x > 0));
    const path = inside.map((p, k) => `${k ? "L" : "M"}${px(p.x).toFixed(1)} ${py(p.y).toFixed(1)}`).join("");
    if (s.line) area.append(svg("path", { class: s.published ? "curve published" : "curve", d: path, stroke: s.colour, "stroke-dasharray": s.dash }));
    for (const p of inside) {
      const place = { x: px(p.x), y: py(p.y), text: p.text };
      const visible = p.x >= x.low && p.x <= x.high && p.y >= y.low && p.y <= y.high;
      if (visible) flat.push(place);
      area.append(svg("circle", {
        cx: place.x.toFixed(1), cy: place.y.toFixed(1), r: s.published ? 2 : s.line ? 3.6 : 6, fill: s.colour,
        tabindex: visible && !s.published ? 0 : null, role: visible ? "img" : null, "aria-label": p.text,
        onfocus: () => show(place), onblur: hide,
      }));
      if (!s.line && visible) area.append(svg("text", { x: place.x + (place.x > width * 0.75 ? -10 : 10), y: place.y + 4, "text-anchor": place.x > width * 0.75 ? "end" : "start" }, s.label));
    }
  }
  root.append(area);

  function show(place) {
    tip.textContent = place.text;
    tip.hidden = false;
    const factor = root.clientWidth / width || 1;
    const left = Math.min(Math.max(4, place.x * factor + 12), Math.max(4, holder.clientWidth - tip.offsetWidth - 4));
    tip.style.left = `${left}px`;
    tip.style.top = `${Math.max(0, place.y * factor - tip.offsetHeight - 10)}px`;
  }
  function hide() { tip.hidden = true; }
  function nearest(event) {
    const box = root.getBoundingClientRect(), factor = width / box.width;
    const at = { x: (event.clientX - box.left) * factor, y: (event.clientY - box.top) * factor };
    const distance = (p) => Math.hypot(p.x - at.x, p.y - at.y);
    const found = flat.reduce((a, b) => (a && distance(a) <= distance(b) ? a : b), null);
    if (found && distance(found) < 40) show(found); else hide();
  }
  root.addEventListener("pointermove", nearest);
  root.addEventListener("pointerdown", nearest);
  root.addEventListener("pointerleave", hide);
  holder.replaceChildren(root, tip);
}
