// The page: data in, sections out; drawn again when the window's width changes.

const data = {
  metrics: [], codecs: [], bd: {}, pictures: [], failures: [], ...JSON.parse(document.getElementById("data").textContent),
};
const style = styles(data.codecs);
const compared = comparison(data);
const beside = [bdSection(data, style, compared), speedSection(data, style, compared)].filter(Boolean);
const viewer = viewerSection(data);
const parts = [curvesSection(data, style), ...beside, viewer, failuresSection(data), codecsSection(data, style)].filter(Boolean);
if (data.pictures.length === 1) parts.sort((a, b) => (b === viewer) - (a === viewer)); // one picture is what the page is about

const main = document.getElementById("main");
const pair = beside.length === 2 ? el("div", { class: "pair" }) : main;
for (const part of parts) {
  if (beside.includes(part)) pair.append(part.box); else main.append(part.box);
  if (pair !== main && part === beside[0]) main.append(pair);
}

const heading = (part) => part.box.querySelector("h2");
document.getElementById("top").append(
  el("h1", {}, data.title),
  el("p", { class: "quiet" }, `${data.dataset}. Rates are sizes of files, quality is that of the decoded 8-bit pictures.`),
  parts.length < 3 ? "" : el("nav", { "aria-label": "Sections" },
    parts.map((part) => el("a", { href: `#${part.box.id}` }, heading(part).textContent))));
for (const part of parts) if (part.draw) part.draw();

let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth === width) return;
  width = window.innerWidth;
  for (const part of parts) (part.resized || part.draw || (() => {}))();
});
document.documentElement.dataset.ready = "yes";
