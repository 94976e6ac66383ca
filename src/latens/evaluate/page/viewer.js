// Two versions of a picture under a slider: matched by rate, zoomed together, with errors and bits.

const ORIGINAL = "original";

function viewerSection(data) {
  if (!data.pictures.length) return null;
  const versions = data.pictures.flatMap((p) => p.versions);
  const ids = [...new Set(versions.map((v) => v.codec))];
  const codec = (id) => data.codecs.find((c) => c.id === id) || { title: id };
  const title = (id) => (id === ORIGINAL ? "original" : codec(id).title);
  const wanted = targets(data.pictures);
  const learned = ids.find((id) => versions.some((v) => v.codec === id && v.bits));
  const state = {
    picture: 0, left: ids[0] || ORIGINAL, right: learned && learned !== ids[0] ? learned : ids[1] || ORIGINAL,
    rate: wanted[Math.floor(wanted.length / 2)], view: "picture", split: 0.5,
  };
  const SIDES = ["left", "right"];
  const images = SIDES.map(() => el("img", { decoding: "sync", draggable: "false" }));
  const overlays = SIDES.map(() => el("img", { class: "bits", alt: "", decoding: "sync", draggable: "false", hidden: true }));
  const sides = SIDES.map((name, k) => el("div", { class: `side ${name}` }, images[k], overlays[k]));
  const plane = el("div", { class: "plane" }, sides[1], sides[0]);
  const divider = el("div", {
    class: "divider", role: "slider", tabindex: 0, "aria-label": "Divide the two pictures", "aria-valuemin": 0, "aria-valuemax": 100,
  });
  const stage = el("div", {
    class: "stage", role: "group", tabindex: 0, "aria-label": "Pictures; arrow keys move them, plus and minus zoom, 0 fits",
  }, plane, divider);
  const size = () => data.pictures[state.picture];
  const zoom = zoomable(stage, plane, size);
  const figures = el("table", { class: "figures" });
  const notes = el("p", { class: "note", id: "viewer-notes" });
  const unseen = [false, false]; // pictures that this browser cannot show
  const views = [["picture", "picture"], ["error", "errors"], ["bits", "bits"]]
    .filter(([name]) => name === "picture" || versions.some((v) => v[name]));
  const choices = [...ids.map((id) => [id, title(id)]), [ORIGINAL, "original"]];
  const set = (name, number) => (v) => { state[name] = number ? Number(v) : v; draw(); };
  const another = (v) => { set("picture", true)(v); zoom.fit(); };
  const zooms = [1, 2, 4, 8].map((n) => el("button", { type: "button", "data-zoom": n, onclick: () => zoom.times(n) }, `${n}:1`));
  const fit = el("button", { type: "button", onclick: zoom.fit }, "fit");
  const step = (name, text, up) => el("button", { type: "button", "aria-label": name, onclick: () => zoom.step(up) }, text);
  const box = section("Pictures", "viewer",
    data.pictures.length > 1 ? select("Picture", data.pictures.map((p, k) => [String(k), p.name]), "0", another) : null,
    wanted.length > 1 ? select("About", wanted.map((r) => [String(r), `${r} bpp`]), String(state.rate), set("rate", true)) : null,
    select("Left", choices, state.left, set("left")), select("Right", choices, state.right, set("right")),
    views.length > 1 ? choice("Show", views, "picture", set("view")) : null,
    el("span", { class: "group", role: "group", "aria-label": "Zoom" },
      step("Zoom out", MINUS, false), fit, zooms, step("Zoom in", "+", true)));
  box.append(stage, figures, notes,
    el("p", { class: "note hint" }, "Drag the handle to compare and the picture to move it. ",
      el("span", { class: "mouse" }, "The wheel zooms once the picture is clicked."), el("span", { class: "touch" }, "Two fingers zoom.")));

  function version(side) {
    const distance = (v) => Math.abs(Math.log(v.bpp / state.rate));
    const found = size().versions.filter((v) => v.codec === state[side]);
    return found.reduce((a, b) => (a && distance(a) <= distance(b) ? a : b), null);
  }
  function draw() {
    const picture = size(), found = SIDES.map(version);
    stage.style.aspectRatio = Math.max(0.8, Math.min(2, picture.width / picture.height));
    SIDES.forEach((side, k) => {
      const original = state[side] === ORIGINAL;
      const source = original ? picture.original : found[k] && ((state.view === "error" && found[k].error) || found[k].image);
      const bits = state.view === "bits" && found[k] && found[k].bits;
      sides[k].hidden = !source;
      images[k].alt = `${picture.name}, ${title(state[side])}`;
      if (source && images[k].getAttribute("src") !== source) { unseen[k] = false; images[k].src = source; }
      overlays[k].hidden = !bits;
      if (bits) overlays[k].src = bits.image;
    });
    figures.replaceChildren(...figuresOf(data.metrics, codec, SIDES.map((s) => title(state[s])), found));
    note();
    place();
  }
  function note() {
    const picture = size(), found = SIDES.map(version), lines = [];
    const both = (told, one, two, rest = "") => {
      const names = SIDES.filter((_, k) => told[k]);
      if (names.length === 2) lines.push(`Both ${two}${rest}.`);
      else if (names.length) lines.push(`${names[0] === "left" ? "Left" : "Right"} ${one}${rest}.`);
    };
    both(SIDES.map((s, k) => !found[k] && state[s] !== ORIGINAL), "has", "have", " no file of this picture");
    both(unseen, "is in a format", "are in a format", " that this browser cannot show");
    if (wanted.length > 1) {
      both(found.map((v) => v && apart(v.bpp, state.rate)), "has", "have", ` no file within 10 % of ${state.rate} bpp, the nearest is shown`);
    }
    if (found[0] && found[1] && apart(found[0].bytes, found[1].bytes)) {
      const [less, more] = found[0].bytes < found[1].bytes ? [0, 1] : [1, 0];
      const percent = Math.round(100 * (found[more].bytes / found[less].bytes - 1));
      lines.push(`Not the same rate: the ${SIDES[more]} file has ${percent} % more bytes.`);
    }
    if (state.view !== "error") {
      const inexact = SIDES.map((s, k) => (found[k] ? !found[k].exact : state[s] === ORIGINAL && !picture.exact));
      const kinds = [...new Set(SIDES.filter((_, k) => inexact[k]).map((_, k) => kind(images[k].src)))].join(" and ");
      const rest = " to keep the page small, so details differ; the figures are those of the files";
      both(inexact, "is", "are", ` shown through lossy ${kinds}${rest}`);
    } else if (found.some((v) => v && v.error)) lines.push("Errors: the largest of the three channels, times 8; black is exact.");
    const scales = found.map((v, k) => v && v.bits && `${SIDES[k]} 0${DASH}${v.bits.max} ${v.bits.unit}`)
      .filter((text) => text && state.view === "bits");
    if (state.view === "bits" && !scales.length) lines.unshift("Neither side tells where its bits went.");
    const swatch = scales.length ? [el("span", { class: "swatch", "aria-hidden": "true" }), ` ${scales.join(", ")}. `] : [];
    notes.replaceChildren(...swatch, lines.join(" "));
  }
  images.forEach((image, k) => image.addEventListener("error", () => { unseen[k] = true; note(); }));
  // Latents cover the picture up to their stride, a power of two: the map may reach past the right and lower edge.
  for (const overlay of overlays) {
    overlay.addEventListener("load", () => {
      const { width, height } = size(), { naturalWidth: across, naturalHeight: down } = overlay;
      const stride = 2 ** Math.ceil(Math.log2(Math.max(width / across, height / down)) - 1e-6);
      overlay.style.width = `${across * stride}px`;
      overlay.style.height = `${down * stride}px`;
    });
  }

  function split(value) { state.split = Math.min(1, Math.max(0, value)); place(); }
  function place() {
    const x = state.split * stage.clientWidth, { width } = size();
    const cut = Math.min(Math.max(0, (x - zoom.view.x) / zoom.view.scale), width); // in picture pixels
    const percent = Math.round(state.split * 100);
    divider.style.left = `${x}px`;
    divider.setAttribute("aria-valuenow", percent);
    divider.setAttribute("aria-valuetext", `${percent} % ${title(state.left)}, ${100 - percent} % ${title(state.right)}`);
    sides[0].style.clipPath = `inset(0 ${width - cut}px 0 0)`;
    sides[1].style.clipPath = `inset(0 0 0 ${cut}px)`;
  }
  let held = null; // where in the handle it was taken
  divider.addEventListener("pointerdown", (event) => {
    held = event.clientX - stage.getBoundingClientRect().left - state.split * stage.clientWidth;
    divider.setPointerCapture(event.pointerId);
    event.preventDefault();
    divider.focus({ preventScroll: true });
  });
  divider.addEventListener("pointermove", (event) => {
    if (held === null) return;
    split((event.clientX - held - stage.getBoundingClientRect().left) / stage.clientWidth);
  });
  for (const name of ["pointerup", "pointercancel"]) divider.addEventListener(name, () => { held = null; });
  divider.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    split(state.split + steps[event.key]);
  });
  stage.addEventListener("zoomed", () => {
    fit.setAttribute("aria-pressed", String(zoom.view.fit));
    const at = zoom.view.fit ? null : String(zoom.view.ratio);
    for (const button of zooms) button.setAttribute("aria-pressed", String(button.dataset.zoom === at));
    place();
  });
  const resized = () => { zoom.refit(); place(); };
  return { box, draw: () => { draw(); resized(); }, resized };
}
