// Two versions of a picture under a slider: matched by rate, zoomed together, with errors and bits.

const ORIGINAL = "original";
const FAR = 0.1; // of the wanted rate: a version further off is said to be

function viewerSection(data) {
  if (!data.pictures.length) return null;
  const ids = [...new Set(data.pictures.flatMap((p) => p.versions.map((v) => v.codec)))];
  const title = (id) => (id === ORIGINAL ? "original" : (data.codecs.find((c) => c.id === id) || { title: id }).title);
  const rates = [...new Set(data.pictures[0].versions.map((v) => v.bpp))];
  const wanted = rates.length > ids.length ? [0.25, 0.5, 1] : [rates[0]];
  const single = wanted.length === 1;
  const learned = ids.find((id) => data.pictures.some((p) => p.versions.some((v) => v.codec === id && v.bits)));
  const right = learned && learned !== ids[0] ? learned : ids[1] || ORIGINAL;
  const state = { picture: 0, left: ids[0] || ORIGINAL, right, rate: wanted[single ? 0 : 1], view: "picture", split: 0.5 };
  const sides = ["left", "right"].map(() => el("div", { class: "side" }));
  const plane = el("div", { class: "plane" });
  const stage = el("div", { class: "stage" });
  const divider = el("button", {
    class: "divider", type: "button", role: "slider", "aria-label": "Divide the two pictures",
    "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 50,
  });
  stage.append(plane, divider);
  plane.append(sides[1], sides[0]);
  const size = () => data.pictures[state.picture];
  const zoom = zoomable(stage, plane, size);
  const captions = [el("div", {}), el("div", {})];
  const under = el("p", { class: "note" });
  const hasBits = data.pictures.some((p) => p.versions.some((v) => v.bits));
  const hasErrors = data.pictures.some((p) => p.versions.some((v) => v.error));
  const views = [["picture", "picture"], ...(hasErrors ? [["error", "errors"]] : []), ...(hasBits ? [["bits", "bits"]] : [])];
  const choices = [...ids.map((id) => [id, title(id)]), [ORIGINAL, "original"]];
  const box = section("Pictures", "viewer",
    data.pictures.length > 1 ? select("Picture", data.pictures.map((p, k) => [String(k), p.name]), "0", (v) => { state.picture = Number(v); draw(); zoom.refit(); }) : null,
    select("Left", choices, state.left, (v) => { state.left = v; draw(); }),
    select("Right", choices, state.right, (v) => { state.right = v; draw(); }),
    single ? null : select("About", wanted.map((r) => [String(r), `${r} bpp`]), String(state.rate), (v) => { state.rate = Number(v); draw(); }),
    views.length > 1 ? choice("Show", views, "picture", (v) => { state.view = v; draw(); }) : null,
    el("span", { class: "group", role: "group", "aria-label": "Zoom" }, el("button", { type: "button", onclick: zoom.fit }, "fit"),
      [1, 2, 4, 8].map((n) => el("button", { type: "button", "data-zoom": n, onclick: () => zoom.times(n) }, `${n}:1`))));
  box.append(stage, el("div", { class: "captions" }, captions), under);

  function version(side) {
    if (state[side] === ORIGINAL) return null;
    const found = size().versions.filter((v) => v.codec === state[side]);
    const distance = (v) => Math.abs(Math.log(v.bpp / state.rate));
    return found.reduce((a, b) => (a && distance(a) <= distance(b) ? a : b), null);
  }
  function draw() {
    const notes = new Set();
    stage.style.aspectRatio = `${size().width} / ${size().height}`;
    ["left", "right"].forEach((side, k) => {
      const found = version(side), picture = size();
      const missing = !found && state[side] !== ORIGINAL;
      const source = missing ? null : found ? (state.view === "error" && found.error) || found.image : picture.original;
      const layers = source ? [el("img", { src: source, alt: `${picture.name}, ${title(state[side])}`, decoding: "async", draggable: "false" })] : [];
      if (state.view === "bits" && found && found.bits) {
        layers.push(el("img", { class: "bits coarse", src: found.bits.image, alt: "", draggable: "false" }));
        notes.add(`Bits, black to bright: 0 to ${found.bits.max} ${found.bits.unit} (${title(state[side])}).`);
      }
      sides[k].replaceChildren(...layers);
      caption(captions[k], side, found, missing);
      if (state.view === "picture" && ((found && !found.exact) || (!found && !missing && !picture.exact))) notes.add(`${title(state[side])} is shown through lossy WebP, to keep this page small; its figures are those of the file.`);
      if (state.view === "error" && found && found.error) notes.add("Errors: the largest of the three channels, times 8; black is exact.");
      if (found && !single && Math.abs(found.bpp / state.rate - 1) > FAR) notes.add(`${title(state[side])} has no file within 10 % of ${state.rate} bpp: the nearest is shown.`);
    });
    under.replaceChildren(...[...notes].flatMap((n) => [n, " "]));
    if (state.view === "bits") under.prepend(el("span", { class: "swatch" }), " ");
  }
  function caption(node, side, found, missing) {
    const lines = [el("strong", {}, title(state[side]))];
    if (missing) lines.push(el("br"), "not among the files of this picture");
    if (found) {
      lines.push(el("br"), `${shown(found.bpp, 3)} bpp, ${found.bytes.toLocaleString("en")} bytes`, el("br"));
      lines.push(data.metrics.filter((m) => isNumber(found[m.id])).map((m) => `${m.title} ${shown(found[m.id], m.digits)}${m.unit ? ` ${m.unit}` : ""}`).join(", "));
    }
    node.replaceChildren(...lines);
  }

  function split(value) {
    state.split = Math.min(1, Math.max(0, value));
    divider.setAttribute("aria-valuenow", Math.round(state.split * 100));
    place();
  }
  function place() {
    const x = state.split * stage.clientWidth;
    divider.style.left = `${x}px`;
    const across = (x - zoom.view.x) / zoom.view.scale; // in the plane's pixels
    const cut = Math.min(Math.max(0, across), size().width);
    sides[0].style.clipPath = `inset(0 ${size().width - cut}px 0 0)`;
    sides[1].style.clipPath = `inset(0 0 0 ${cut}px)`;
  }
  let held = false;
  divider.addEventListener("pointerdown", (event) => { held = true; divider.setPointerCapture(event.pointerId); event.preventDefault(); divider.focus(); });
  divider.addEventListener("pointermove", (event) => {
    if (!held) return;
    const frame = stage.getBoundingClientRect();
    split((event.clientX - frame.left) / frame.width);
  });
  for (const name of ["pointerup", "pointercancel"]) divider.addEventListener(name, () => { held = false; });
  divider.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    split(state.split + steps[event.key]);
  });
  stage.addEventListener("zoomed", place);
  return { box, draw: () => { draw(); zoom.refit(); place(); }, resized: () => { zoom.refit(); place(); } };
}
