// A stage whose plane is zoomed and moved: by pointer, fingers, wheel and keys. Scales are CSS pixels per picture
// pixel; 1:1 is one picture pixel on one pixel of the display.

const LARGEST = 32;
const STEP = 64; // CSS pixels that an arrow key moves

function zoomable(stage, plane, size) {
  const view = { scale: 1, x: 0, y: 0, fit: true };
  const pointers = new Map();
  let pinched = null;

  const pixel = () => 1 / (window.devicePixelRatio || 1);
  function fitting() {
    const whole = Math.min(stage.clientWidth / size().width, stage.clientHeight / size().height);
    const steps = Math.floor(whole / pixel() + 1e-6); // whole pixels stay whole, if little room is lost
    return steps >= 1 && whole < 1.35 * steps * pixel() ? steps * pixel() : whole;
  }
  function apply() {
    const { width, height } = size();
    const bound = (at, room, extent) => (extent <= room ? Math.round((room - extent) / 2) : Math.min(0, Math.max(room - extent, at)));
    view.x = bound(view.x, stage.clientWidth, width * view.scale);
    view.y = bound(view.y, stage.clientHeight, height * view.scale);
    plane.style.width = `${width}px`;
    plane.style.height = `${height}px`;
    plane.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    const ratio = view.scale / pixel(), steps = Math.round(ratio);
    view.ratio = steps >= 1 && Math.abs(ratio - steps) < 1e-3 ? steps : ratio;
    stage.classList.toggle("sharp", view.ratio >= 3 || Number.isInteger(view.ratio));
    stage.classList.toggle("movable", width * view.scale > stage.clientWidth + 1 || height * view.scale > stage.clientHeight + 1);
    stage.dispatchEvent(new CustomEvent("zoomed"));
  }
  function to(scale, x, y) {
    const next = Math.min(LARGEST, Math.max(Math.min(fitting(), pixel()), scale));
    const ratio = next / view.scale;
    Object.assign(view, { x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio, scale: next, fit: false });
    apply();
  }
  function move(x, y) { view.x += x; view.y += y; apply(); }
  function fit() { view.scale = fitting(); view.fit = true; apply(); }
  const middle = () => [stage.clientWidth / 2, stage.clientHeight / 2];
  const times = (n) => to(n * pixel(), ...middle());
  // The next of 1, 2, 4, ... to one side.
  const step = (up) => times(2 ** (up ? Math.floor(Math.log2(view.ratio) + 1.001) : Math.ceil(Math.log2(view.ratio) - 1.001)));

  const at = (event) => { const box = stage.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  function pinch() { // of the first two fingers: how far apart, and the middle
    const [a, b] = [...pointers.values()];
    return b ? { span: Math.hypot(a[0] - b[0], a[1] - b[1]), x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2 } : null;
  }
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !stage.contains(document.activeElement)) return; // the page scrolls until the picture is clicked
    event.preventDefault();
    to(view.scale * Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0018)), ...at(event));
  }, { passive: false });
  stage.addEventListener("pointerdown", (event) => {
    if (event.target.closest(".divider")) return;
    stage.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    pinched = pinch();
  });
  stage.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const old = pointers.get(event.pointerId), now = at(event);
    pointers.set(event.pointerId, now);
    if (pointers.size === 1) {
      move(now[0] - old[0], now[1] - old[1]);
    } else {
      const next = pinch();
      move(next.x - pinched.x, next.y - pinched.y);
      if (pinched.span) to((view.scale * next.span) / pinched.span, next.x, next.y);
      pinched = next;
    }
  });
  for (const name of ["pointerup", "pointercancel"]) {
    stage.addEventListener(name, (event) => { pointers.delete(event.pointerId); pinched = pinch(); });
  }
  stage.addEventListener("keydown", (event) => {
    if (event.target !== stage || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      ArrowLeft: () => move(STEP, 0), ArrowRight: () => move(-STEP, 0), ArrowUp: () => move(0, STEP), ArrowDown: () => move(0, -STEP),
      "+": () => step(true), "=": () => step(true), "-": () => step(false), 0: fit, 1: () => times(1),
    };
    if (!(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
  return { view, fit, times, step, refit: () => (view.fit ? fit() : apply()) };
}
