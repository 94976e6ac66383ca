// The page: data in, sections out; drawn again when the window's width changes.

const data = JSON.parse(document.getElementById("data").textContent);
const style = styles(data);
document.getElementById("top").append(
  el("h1", {}, data.title),
  el("p", { class: "quiet" }, `${data.dataset}. Rates are sizes of files, quality is that of the decoded 8-bit pictures.`));

const parts = [curvesSection(data, style), bdSection(data), viewerSection(data), speedSection(data, style)].filter(Boolean);
const main = document.getElementById("main");
if (data.pictures.length === 1) parts.sort((a, b) => (b.box.id === "viewer") - (a.box.id === "viewer"));
for (const part of parts) main.append(part.box);
for (const box of [codecsSection(data, style), failuresSection(data)]) if (box) main.append(box);
for (const part of parts) part.draw();

let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth === width) return;
  width = window.innerWidth;
  for (const part of parts) (part.resized || part.draw)();
});
document.documentElement.dataset.ready = "yes";
