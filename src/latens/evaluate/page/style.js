// How a codec looks, everywhere on the page: colour and marker if measured here, grey and dashes if published.

const DASHES = ["6 3", "2 3", "8 3 2 3", "4 2", "1 3"];
const COLOURS = 8; // --c0 to --c7 of style.css
const polygon = (corners) => (r) => `M${corners.map(([x, y]) => `${(x * r).toFixed(2)} ${(y * r).toFixed(2)}`).join("L")}Z`;
const star = polygon([...Array(10)].map((_, k) => {
  const angle = (Math.PI * k) / 5, radius = k % 2 ? 0.65 : 1.5;
  return [radius * Math.sin(angle), -radius * Math.cos(angle)];
}));
const PLUS = [[-0.45, -1.3], [0.45, -1.3], [0.45, -0.45], [1.3, -0.45], [1.3, 0.45], [0.45, 0.45], [0.45, 1.3], [-0.45, 1.3], [-0.45, 0.45],
  [-1.3, 0.45], [-1.3, -0.45], [-0.45, -0.45]];
const circle = (r) => `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`;
const MARKS = [
  circle,
  polygon([[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]),
  polygon([[0, -1.2], [1.1, 0.8], [-1.1, 0.8]]),
  polygon([[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]]),
  polygon([[0, 1.2], [1.1, -0.8], [-1.1, -0.8]]),
  star,
  polygon(PLUS),
  polygon(PLUS.map(([x, y]) => [(x - y) * Math.SQRT1_2, (x + y) * Math.SQRT1_2])),
];

// {codec id: {colour, dash, mark}}; the ninth measured codec has the first one's colour, dashed, and another marker.
function styles(codecs) {
  const found = {};
  let ours = 0, theirs = 0;
  for (const c of codecs) {
    if (c.published) found[c.id] = { colour: "var(--published)", dash: DASHES[theirs++ % DASHES.length], mark: null };
    else {
      const round = Math.floor(ours / COLOURS);
      found[c.id] = { colour: `var(--c${ours % COLOURS})`, dash: round ? "7 2" : null, mark: MARKS[(ours + round) % MARKS.length] };
      ours++;
    }
  }
  return found;
}

function key({ colour, dash, mark }) {
  return svg("svg", { class: "key", viewBox: "0 0 24 12", width: 24, height: 12, "aria-hidden": "true" },
    svg("line", { x1: 0, x2: 24, y1: 6, y2: 6, stroke: colour, "stroke-width": mark ? 2 : 1.4, "stroke-dasharray": dash }),
    mark && svg("path", { d: mark(3.8), transform: "translate(12 6)", fill: colour }));
}
