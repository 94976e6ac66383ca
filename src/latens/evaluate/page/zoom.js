// A stage whose plane is zoomed and moved: wheel, pinch, drag, buttons, keys.

function zoomable(stage, plane, size) {
  const view = { scale: 1, x: 0, y: 0, fit: true };
  const pointers = new Map();
  let before = null;

  const fitting = () => Math.min(stage.clientWidth / size().width, stage.clientHeight / size().height);
  const pixel = () => 1 / (window.devicePixelRatio || 1); // CSS pixels of one device pixel

  function apply() {
    const { width, height } = size();
    const shownWidth = width * view.scale, shownHeight = height * view.scale;
    const bound = (at, room, extent) => (extent <= room ? (room - extent) / 2 : Math.min(0, Math.max(room - extent, at)));
    view.x = bound(view.x, stage.clientWidth, shownWidth);
    view.y = bound(view.y, stage.clientHeight, shownHeight);
    plane.style.width = `${width}px`;
    plane.style.height = `${height}px`;
    plane.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    stage.classList.toggle("sharp", view.scale >= pixel() * 0.999);
    stage.dispatchEvent(new CustomEvent("zoomed", { detail: view }));
  }
  function to(scale, x, y) {
    const least = Math.min(fitting(), pixel());
    const next = Math.min(32, Math.max(least, scale));
    const ratio = next / view.scale;
    view.x = x - (x - view.x) * ratio;
    view.y = y - (y - view.y) * ratio;
    view.scale = next;
    view.fit = false;
    apply();
  }
  function fit() { view.scale = fitting(); view.fit = true; apply(); }
  const middle = () => [stage.clientWidth / 2, stage.clientHeight / 2];
  function times(n) { to(n * pixel(), ...middle()); }

  const at = (event) => { const box = stage.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    to(view.scale * Math.exp(-event.deltaY * 0.0018), ...at(event));
  }, { passive: false });
  stage.addEventListener("pointerdown", (event) => {
    if (event.target.closest(".divider")) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    stage.classList.add("dragging");
    before = null;
  });
  stage.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const old = pointers.get(event.pointerId), now = at(event);
    pointers.set(event.pointerId, now);
    if (pointers.size === 1) {
      view.x += now[0] - old[0];
      view.y += now[1] - old[1];
      apply();
    } else {
      const [a, b] = [...pointers.values()];
      const pinch = { span: Math.hypot(a[0] - b[0], a[1] - b[1]), x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2 };
      if (before) to((view.scale * pinch.span) / before.span, pinch.x, pinch.y);
      before = pinch;
    }
  });
  for (const name of ["pointerup", "pointercancel"]) {
    stage.addEventListener(name, (event) => { pointers.delete(event.pointerId); before = null; if (!pointers.size) stage.classList.remove("dragging"); });
  }
  return { view, fit, times, apply, refit: () => (view.fit ? fit() : apply()) };
}
