// The training that is under way: its progress, and curves over the epochs.

import { about, digits, grouped, say, short } from "./words.js";

const byID = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

let epochs = [];
let progress = { epoch: 1, epochs: 1, done: 0, samples: 1, runs: 1 };
let best = null;
let asked = false; // for a frame

// watch follows the training. weights() is called when the page has other parameters;
// lost(true) when the connection is gone, and lost(false) when it is back.
export function watch(weights, lost) {
  const source = new EventSource("api/events");
  source.addEventListener("open", () => lost(false));
  source.addEventListener("error", () => lost(true));
  source.addEventListener("epoch", (e) => {
    const m = JSON.parse(e.data);
    if (epochs.length > 0 && m.epoch <= epochs[epochs.length - 1].epoch) {
      epochs = []; // another training
      byID("end").textContent = "";
    }
    epochs.push(m);
    if (m.best) best = m;
    draw();
  });
  source.addEventListener("progress", (e) => {
    progress = JSON.parse(e.data);
    draw();
  });
  source.addEventListener("weights", weights);
  source.addEventListener("report", () => { byID("report").hidden = false; });
  source.addEventListener("end", (e) => {
    const end = JSON.parse(e.data);
    byID("end").textContent = say(end.state, end.text);
  });
  new ResizeObserver(draw).observe(byID("accuracy-chart"));
}

function draw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    show();
  });
}

function show() {
  const last = epochs[epochs.length - 1];
  const done = last && last.epoch >= progress.epochs ? progress.epochs : progress.epoch - 1 + progress.done / progress.samples;
  byID("progress").max = progress.epochs;
  byID("progress").value = done;
  byID("epoch").textContent = say("epochOf", Math.min(progress.epoch, progress.epochs), progress.epochs);
  if (!last) return;
  const parts = [];
  if (best) {
    const judged = best.validation_accuracy ?? best.test_accuracy;
    parts.push(say("bestEpoch", digits(judged, 4), best.epoch));
  }
  parts.push(say("rateNow", short(last.rate)));
  if (last.speed > 0) parts.push(say("speed", grouped(last.speed)));
  if (progress.runs > 1) parts.push(say("runsBest", progress.runs));
  byID("latest").textContent = parts.join(" · ");
  chart(byID("accuracy-chart"), "accuracy", 1, 4);
  chart(byID("cost-chart"), "cost", null, 4);
}

// nice returns the smallest of 1, 2 and 5 times a power of ten that is not below v.
function nice(v) {
  const power = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 5, 10].map((m) => m * power).find((n) => n >= v * (1 - 1e-9));
}

function element(parent, name, attributes, text) {
  const e = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  if (text !== undefined) e.textContent = text;
  parent.append(e);
}

// chart draws the curves of a kind of value: training, test and validation. top is the
// end of the axis, null for the largest value; the axis of costs begins at 0.
function chart(svg, kind, top, n) {
  const width = svg.clientWidth, height = svg.clientHeight;
  if (width < 50) return;
  const curves = ["train", "validation", "test"]
    .map((name) => ({ name, values: epochs.map((m) => m[`${name}_${kind}`]) }))
    .filter((c) => c.values[0] !== undefined);
  const all = curves.flatMap((c) => c.values);
  let low = kind === "cost" ? 0 : Math.min(...all), high = top ?? Math.max(...all, 1e-9);
  const unit = nice(Math.max((high - low) / 4, 1e-4));
  low = Math.floor(low / unit + 1e-9) * unit;
  high = Math.ceil(high / unit - 1e-9) * unit;
  if (high <= low) high = low + unit;
  const left = 46, right = 76, above = 8, below = 24;
  const most = Math.max(progress.epochs, epochs.length, 2);
  const x = (epoch) => left + (width - left - right) * (epoch - 1) / (most - 1);
  const y = (v) => above + (height - above - below) * (high - v) / (high - low);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  for (let k = 0; low + k * unit <= high + unit / 2; k++) {
    const v = low + k * unit;
    element(svg, "line", { class: "grid", x1: left, x2: width - right, y1: y(v), y2: y(v) });
    element(svg, "text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, String(Number(v.toPrecision(4))));
  }
  for (const epoch of most > 2 ? [1, Math.round((1 + most) / 2), most] : [1, most]) {
    element(svg, "text", { x: x(epoch), y: height - 6, "text-anchor": "middle" }, epoch);
  }
  element(svg, "text", { x: width - right + 8, y: height - 6 }, say("epochs"));
  const labels = [];
  for (const c of curves) {
    const path = c.values.map((v, k) => `${k === 0 ? "M" : "L"}${x(epochs[k].epoch).toFixed(1)} ${y(v).toFixed(1)}`).join("");
    element(svg, "path", { class: c.name, d: epochs.length > 1 ? path : `${path}h3` });
    const v = c.values[c.values.length - 1];
    labels.push({ name: c.name, x: x(epochs[epochs.length - 1].epoch) + 6, y: y(v) + 4 });
  }
  labels.sort((a, b) => a.y - b.y);
  labels.forEach((l, k) => { if (k > 0) l.y = Math.max(l.y, labels[k - 1].y + 13); });
  const over = labels[labels.length - 1].y - (height - below);
  if (over > 0) labels.forEach((l) => { l.y -= over; });
  for (const l of labels) element(svg, "text", { class: l.name, x: l.x, y: l.y }, say(l.name));
  const last = epochs[epochs.length - 1];
  svg.setAttribute("aria-label", say("chartLabel", say(kind === "cost" ? "costs" : "accuracy"), digits(last[`train_${kind}`], n), digits(last[`test_${kind}`], n)));
}
