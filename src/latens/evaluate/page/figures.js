// What the viewer says and asks: the rates on offer, which differ, the figures of both sides.

const FAR = 0.1; // rates further apart than this share of one another are said to be
const ROUND = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];
const KINDS = { webp: "WebP", avif: "AVIF", jpeg: "JPEG" };

const apart = (a, b) => Math.max(a, b) > Math.min(a, b) * (1 + FAR);
const kind = (source) => KINDS[(/^data:image\/(\w+)/.exec(source) || [])[1]] || "pictures";

// The rates that versions were chosen for, as round numbers: those of codecs with the most versions of a picture.
function targets(pictures) {
  const lists = pictures.flatMap((p) => [...new Set(p.versions.map((v) => v.codec))].map((id) => (
    p.versions.filter((v) => v.codec === id && v.bpp > 0).map((v) => Math.log10(v.bpp)).sort((a, b) => a - b))));
  const most = Math.max(0, ...lists.map((list) => list.length)), full = lists.filter((list) => list.length === most);
  const found = [...Array(most)].map((_, k) => {
    const mean = full.reduce((sum, list) => sum + list[k], 0) / full.length, power = Math.floor(mean);
    const near = ROUND.reduce((a, b) => (Math.abs(Math.log10(b) - mean + power) < Math.abs(Math.log10(a) - mean + power) ? b : a));
    return Number((near * 10 ** power).toPrecision(2));
  });
  return [...new Set(found)];
}

// Rows of the table under the pictures: what each side is, and its figures, the better one of each metric marked.
function figuresOf(metrics, codec, titles, found) {
  const row = (name, values, best) => el("tr", {}, el("th", { scope: "row" }, name),
    values.map((v, k) => el("td", { class: k === best ? "best" : null }, v)));
  const setting = (v) => (v && v.setting ? [codec(v.codec).parameter, v.setting].filter(Boolean).join(" ") : DASH);
  const rows = [row("", titles), row("setting", found.map(setting)), row("bpp", found.map((v) => (v ? shown(v.bpp, 3) : DASH))),
    row("bytes", found.map((v) => (v && isNumber(v.bytes) ? v.bytes.toLocaleString("en") : DASH)))];
  for (const m of metrics) {
    const values = found.map((v) => (v ? v[m.id] : null));
    if (!values.some(isNumber)) continue;
    const texts = values.map((v) => shown(v, m.digits)), [a, b] = values;
    const best = !isNumber(a) || !isNumber(b) || texts[0] === texts[1] ? null : Number(m.better === "lower" ? b < a : b > a);
    rows.push(row(withUnit(m.title, m.unit), texts, best));
  }
  return [el("tbody", {}, rows)];
}
