// What is shown of an answer: the image that the network sees, the bars, the units.

import { about, colours, digits, say, short } from "./words.js";

const byID = (id) => document.getElementById(id);

// image paints n^1 values on a canvas, a pixel each. rgba(v) is the colour of one.
function image(canvas, values, rgba) {
  if (canvas.width !== about.cols || canvas.height !== about.rows) {
    canvas.width = about.cols;
    canvas.height = about.rows;
  }
  const ctx = canvas.getContext("2d");
  const data = ctx.createImageData(about.cols, about.rows);
  for (let i = 0; i < values.length; i++) data.data.set(rgba(values[i]), 4 * i);
  ctx.putImageData(data, 0, 0);
}

// seen shows the image that the network sees; null for none.
export function seen(input) {
  image(byID("sees"), input || new Uint8Array(about.rows * about.cols), (v) => [v, v, v, 255]);
}

// signed shows numbers by their sign and magnitude.
export function signed(canvas, values) {
  const { plus, minus } = colours();
  const top = values.reduce((m, v) => Math.max(m, Math.abs(v)), 0) || 1;
  image(canvas, values, (v) => [...(v > 0 ? plus : minus), Math.round(255 * Math.abs(v) / top)]);
}

const rows = [...document.querySelectorAll("#bars li")].map((li) => ({
  li, bar: li.querySelector(".bar"), value: li.querySelector(".value"), delta: li.querySelector(".delta"),
}));

// share returns where a value is between the lowest and the highest output, 0 to 1.
function share(v) { return Math.min(Math.max((v - about.low) / (about.high - about.low), 0), 1); }

// ranked returns the classes, the largest output first.
export function ranked(outputs) {
  return outputs.map((_, k) => k).sort((j, k) => outputs[k] - outputs[j] || j - k);
}

// bars shows the outputs, and their δ if they are known. view is null for none.
export function bars(view) {
  const deltas = view && view.told ? view.told.deltas[view.told.deltas.length - 1] : null;
  rows.forEach((row, k) => {
    row.bar.style.transform = `scaleX(${view ? share(view.outputs[k]) : 0})`;
    row.value.textContent = view ? digits(view.outputs[k], 3) : "–";
    row.delta.textContent = deltas ? `δ ${short(deltas[k])}` : "";
    row.li.classList.toggle("best", Boolean(view) && view.answer === k);
    row.li.classList.toggle("right", Boolean(view && view.told) && view.told.label === k);
  });
}

// verdict shows the answer and the next ones.
export function verdict(view) {
  const at = byID("answer");
  at.classList.toggle("long", Boolean(view) && about.classes[view.answer].length > 2);
  at.textContent = view ? about.classes[view.answer] : "?";
  byID("corner").textContent = view ? about.classes[view.answer] : "";
  const next = view ? ranked(view.outputs).filter((k) => k !== view.answer).slice(0, 2) : [];
  byID("next").textContent = next.length > 0
    ? say("nextBest") + next.map((k) => `${about.classes[k]} (${digits(view.outputs[k], 2)})`).join(" · ") : "\u00a0";
}

// spoken returns the answer for a screen reader.
export function spoken(view) {
  if (!view) return "";
  const [first, ...next] = ranked(view.outputs).slice(0, 3);
  const text = say("says", about.classes[first], digits(view.outputs[first], 2));
  return next.length === 0 ? text
    : `${text} ${say("then", next.map((k) => `${about.classes[k]} (${digits(view.outputs[k], 2)})`).join(", "))}`;
}

// Units are the images of layer 2, which light up.
export class Units {
  constructor(canvas, chosen) {
    this.canvas = canvas;
    this.ctx = canvas.getContext("2d");
    this.weights = null; // bytes: see the server
    this.atlas = document.createElement("canvas");
    this.tints = [document.createElement("canvas"), document.createElement("canvas")];
    this.view = null;
    this.unit = 0;
    this.gradient = false;
    const at = (e) => {
      const r = canvas.getBoundingClientRect();
      const { columns, cell, row } = this.layout();
      const i = Math.floor((e.clientY - r.top) / row), j = Math.floor((e.clientX - r.left) / cell);
      const unit = i * columns + j;
      if (j < columns && unit >= 0 && unit < about.units) chosen(unit);
    };
    canvas.addEventListener("pointermove", (e) => { if (e.pointerType === "mouse") at(e); });
    canvas.addEventListener("click", at);
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  setWeights(bytes) {
    this.weights = bytes;
    this.paint();
    this.draw();
  }

  // paint makes the images, side by side.
  paint() {
    if (!this.weights) return;
    const { plus, minus } = colours();
    const n = about.rows * about.cols, across = Math.ceil(Math.sqrt(about.units));
    this.across = across;
    this.atlas.width = across * about.cols;
    this.atlas.height = Math.ceil(about.units / across) * about.rows;
    const ctx = this.atlas.getContext("2d");
    for (let u = 0; u < about.units; u++) {
      const data = ctx.createImageData(about.cols, about.rows);
      for (let i = 0; i < n; i++) {
        const v = this.weights[u * n + i] - 128;
        data.data.set([...(v > 0 ? plus : minus), Math.min(2 * Math.abs(v), 255)], 4 * i);
      }
      ctx.putImageData(data, (u % across) * about.cols, Math.floor(u / across) * about.rows);
    }
  }

  layout() {
    const width = this.canvas.clientWidth || 1;
    const most = Math.max(Math.floor(width / Math.min(56, Math.max(width / 8, 30))), 1);
    const lines = Math.ceil(about.units / most);
    const columns = Math.ceil(about.units / lines);
    const cell = Math.min(Math.floor(width / columns), 84);
    return { columns, cell, row: cell + 7, lines, width };
  }

  // activation and delta of a unit of layer 2.
  activation(u) {
    if (!this.view) return null;
    return (this.view.hidden.length > 0 ? this.view.hidden[0] : this.view.outputs)[u];
  }

  delta(u) { return this.view && this.view.told ? this.view.told.deltas[0][u] : null; }

  draw() {
    const { columns, cell, row, lines, width } = this.layout();
    const c = this.canvas, ctx = this.ctx, ratio = devicePixelRatio;
    const w = Math.round(width * ratio), h = Math.round(lines * row * ratio);
    if (c.width !== w || c.height !== h) {
      c.width = w;
      c.height = h;
      c.style.height = `${lines * row}px`;
    }
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, lines * row);
    ctx.imageSmoothingEnabled = false;
    const colour = colours();
    const told = Boolean(this.view && this.view.told);
    const gradient = this.gradient && told;
    const top = told ? this.view.told.deltas[0].reduce((m, v) => Math.max(m, Math.abs(v)), 0) || 1 : 1;
    if (gradient) this.tint(colour);
    const size = cell - 4;
    for (let u = 0; u < about.units; u++) {
      const x = (u % columns) * cell + 2, y = Math.floor(u / columns) * row + 2;
      const a = this.activation(u), d = this.delta(u);
      const lit = a === null ? 0 : about.low < 0 ? Math.abs(a) : share(a);
      ctx.globalAlpha = 1;
      ctx.fillStyle = colour.track;
      ctx.fillRect(x, y, size, size);
      if (gradient) {
        ctx.globalAlpha = Math.abs(d) / top;
        ctx.drawImage(this.tints[d > 0 ? 0 : 1], x, y, size, size);
      } else if (this.weights) {
        ctx.globalAlpha = a === null ? 0.75 : 0.2 + 0.8 * lit;
        ctx.drawImage(this.atlas, (u % this.across) * about.cols, Math.floor(u / this.across) * about.rows, about.cols, about.rows, x, y, size, size);
      }
      ctx.globalAlpha = 1;
      ctx.fillStyle = colour.bar;
      ctx.fillRect(x, y + size + 1, size * lit, 3);
      if (told) {
        ctx.globalAlpha = Math.abs(d) / top;
        ctx.strokeStyle = `rgb(${d > 0 ? colour.plus : colour.minus})`;
        ctx.lineWidth = 3;
        ctx.strokeRect(x, y, size, size);
        ctx.globalAlpha = 1;
      }
      if (u === this.unit) {
        ctx.strokeStyle = colour.focus;
        ctx.lineWidth = 1.5;
        ctx.strokeRect(x - 1, y - 1, size + 2, size + 2);
      }
    }
    this.details();
  }

  // tint makes the image in the colours of both signs.
  tint(colour) {
    [colour.plus, colour.minus].forEach((rgb, k) => image(this.tints[k], this.view.input, (v) => [...rgb, v]));
  }

  details() {
    const a = this.activation(this.unit), d = this.delta(this.unit);
    const text = a === null ? "" : say("unitSays", this.unit + 1, digits(a, 3)) + (d === null ? "" : ` · ${say("unitDelta", short(d))}`);
    const out = byID("unit-says");
    if (out.textContent !== text) out.textContent = text;
  }
}

// deeper shows the activations of the hidden layers after the first as cells, a layer
// a line or more.
export function deeper(canvas, view) {
  const width = canvas.clientWidth || 1, ratio = devicePixelRatio, cell = 14;
  const columns = Math.max(Math.floor(width / cell), 1);
  const layers = about.layers.slice(2, -1);
  const lines = layers.map((n) => Math.ceil(n / columns));
  const height = lines.reduce((sum, n) => sum + n * cell + 6, 0);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const ctx = canvas.getContext("2d"), colour = colours();
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  let y = 0;
  layers.forEach((n, k) => {
    for (let i = 0; i < n; i++) {
      const a = view ? view.hidden[k + 1][i] : 0;
      const at = [(i % columns) * cell, y + Math.floor(i / columns) * cell, cell - 2, cell - 2];
      ctx.globalAlpha = 1;
      ctx.fillStyle = colour.track;
      ctx.fillRect(...at);
      ctx.globalAlpha = view ? (about.low < 0 ? Math.abs(a) : share(a)) : 0;
      ctx.fillStyle = `rgb(${about.low < 0 && a < 0 ? colour.minus : colour.plus})`;
      ctx.fillRect(...at);
    }
    y += lines[k] * cell + 6;
  });
}
