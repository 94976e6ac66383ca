// Linear and logarithmic axes.

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
  return {
    at: (value) => (f(value) - low) / span,
    ticks: axis.log ? logTicks(axis.low, axis.high) : linearTicks(axis.low, axis.high, count),
  };
}

// {low, high} of values with a margin: a share of their span, or on a logarithmic axis of their ratio.
function extent(values, log, margin) {
  const low = Math.min(...values), high = Math.max(...values);
  if (log) {
    const factor = Math.max((high / low) ** margin, 1.05);
    return { low: low / factor, high: high * factor };
  }
  const pad = (high - low) * margin || Math.abs(high) * 0.1 || 1;
  return { low: low - pad, high: high + pad };
}
