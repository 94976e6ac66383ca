// What was run, and what failed.

function codecsSection(data, style) {
  const ours = data.codecs.filter((c) => !c.published);
  const columns = [
    ["version", "wide", (c) => c.version || "", "version"], ["options", "quiet wide", (c) => c.options || "", "options"],
    ["encode, s", "number", (c) => significant(c.encode_s), "encode_s"],
    ["decode, s", "number", (c) => significant(c.decode_s), "decode_s"],
    ["memory, MB", "number", (c) => shown(c.peak_mb, 0), "peak_mb"],
    ["kMAC/px, enc + dec", "number", (c) => (c.kmac ? c.kmac.map(significant).join(" + ") : DASH), "kmac"],
    ["parameters", "number", (c) => (c.parameters ? `${(c.parameters / 1e6).toFixed(2)} M` : DASH), "parameters"],
  ].filter(([, , , name]) => ours.some((c) => c[name] !== null && c[name] !== undefined && c[name] !== ""));
  const box = section("What was run", "codecs");
  if (ours.length) {
    const name = (c) => [el("span", { class: "name" }, key(style[c.id]), c.title), ""];
    const cell = (text, kind) => [text, text === DASH ? `${kind} none` : kind];
    const list = table([["codec", ""], ...columns.map(([text, kind]) => [text, kind === "number" ? kind : ""])],
      ours.map((c) => [name(c), ...columns.map(([, kind, value]) => cell(value(c), kind))]));
    list.classList.add("cards");
    box.append(list);
  }
  const versions = Object.entries(data.versions || {}).map(([name, v]) => `${name} ${v}`).join(", ");
  if ((data.notes || []).length) box.append(el("ul", { class: "note" }, data.notes.map((note) => el("li", {}, note))));
  const where = [data.machine, versions].filter(Boolean).join("; ");
  if (where) box.append(el("p", { class: "note" }, where));
  if (data.command) box.append(el("p", {}, el("code", {}, data.command)));
  return box.childNodes.length > 1 ? { box } : null;
}

function failuresSection(data) {
  if (!(data.failures || []).length) return null;
  const box = section(`Failed (${data.failures.length})`, "failures");
  box.append(table([["codec", ""], ["setting", ""], ["picture", ""], ["why", ""]],
    data.failures.map((f) => [[f.codec, ""], [f.setting, ""], [f.picture, ""], [f.error, "wide"]])));
  return { box };
}
