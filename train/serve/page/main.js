// The page: what the user does becomes requests, and the answers are shown.

import { watch } from "./live.js";
import { Problem, queue, request, waiting } from "./net.js";
import { Pad } from "./pad.js";
import { bars, deeper, seen, signed, spoken, Units, verdict } from "./views.js";
import { about, colours, digits, grouped, say, short } from "./words.js";

const byID = (id) => document.getElementById(id);

let copy = ""; // the name of our copy of the parameters; "": we look at the page's
let steps = 0; // that it has made
let input = null; // the image that the network sees
let label = -1; // the right answer; -1: not given
let view = null; // the last answer
let version = 0; // of the weights that are shown
let turn = 0; // answers to what came before the last change are not shown

// -- Messages

function notice(text) {
  byID("notice").textContent = text;
  byID("notice").hidden = text === "";
}

let speaking = 0;

// speak tells a screen reader the answer, when the pen rests.
function speak() {
  clearTimeout(speaking);
  speaking = setTimeout(() => { byID("spoken").textContent = `${spoken(view)} ${byID("cost").textContent}`.trim(); }, 700);
}

// -- Answers

function headers() { return copy ? { "Trainer-Copy": copy } : {}; }

function path(name, parameters = {}) {
  if (label >= 0) parameters.label = label;
  const query = new URLSearchParams(parameters).toString();
  return `api/${name}${query ? `?${query}` : ""}`;
}

// trouble shows what a request came to. The copy may be gone: then we go on without.
function trouble(error) {
  if (!(error instanceof Problem)) throw error;
  if (error.code === "gone") {
    forget();
    refresh();
  }
  if (error.code === "blank" || error.code === "small") {
    show(null);
    byID("hint").textContent = error.words();
    byID("hint").hidden = error.code === "blank";
    return;
  }
  notice(error.words());
}

function forget() {
  copy = "";
  steps = 0;
  whose();
}

function whose() {
  byID("whose").textContent = copy ? say("copy", steps) : say("original");
  byID("reset").disabled = !copy;
}

// refresh looks again at the image that is shown. An image that waits will be looked at
// with what is new, and is not displaced.
function refresh(then = null) {
  if (input && !waiting()) look("input", () => input, 0, then);
}

// look asks what the network makes of an image, which may be a function that returns it
// when it is its turn. since is when the user made it.
function look(name, body, since = 0, then = null) {
  const mine = turn;
  queue(async () => {
    const content = typeof body === "function" ? body() : body;
    if (mine !== turn || content === null) return;
    try {
      const response = await request(path(name), { method: "POST", body: content, headers: headers() });
      const answer = await response.json();
      if (mine !== turn) return;
      if (answer.error) throw new Problem(answer.error, answer.text); // too little ink
      notice("");
      byID("hint").hidden = true;
      show(answer);
      if (then) then();
      if (since > 0) measure(since);
    } catch (error) {
      if (mine === turn) trouble(error);
    }
  }, true);
}

// measure notes the time from the user's stroke until the answer is on the screen.
function measure(since) {
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      performance.clearMeasures("stroke to bars");
      performance.measure("stroke to bars", { start: since, end: performance.now() });
    };
    channel.port2.postMessage(null);
  });
}

// show shows an answer; null for none.
function show(answer) {
  view = answer;
  input = view ? Uint8Array.from(view.input) : null;
  if (view) {
    steps = view.steps;
    seen(view.input);
  } else {
    seen(null);
  }
  bars(view);
  verdict(view);
  units.view = view;
  units.draw();
  if (byID("deep")) deeper(byID("deep"), view);
  const told = view && view.told;
  byID("cost").textContent = told ? say("cost", short(told.cost)) : "\u00a0";
  byID("slope-figure").hidden = !told;
  if (told) signed(byID("slope"), told.slope);
  byID("step").disabled = byID("steps").disabled = !told;
  whose();
  speak();
  if (view && view.version !== version) weights();
}

let fetching = false;

// weights gets the weights of the units that are shown.
async function weights() {
  if (fetching) return;
  fetching = true;
  try {
    const response = await request("api/weights", { headers: headers() });
    version = Number(response.headers.get("Trainer-Version"));
    units.setWeights(new Uint8Array(await response.arrayBuffer()));
  } catch (error) {
    if (error.code !== "early" && error.code !== "gone") trouble(error);
  } finally {
    // During a training the weights change often: not more than a few times a second.
    setTimeout(() => {
      fetching = false;
      if (view && view.version !== version) weights();
    }, 250);
  }
}

// -- The pad

function unlabel() {
  label = -1;
  for (const radio of document.querySelectorAll("#labels input")) radio.checked = false;
}

const pad = new Pad(byID("pad"), byID("pen"), about.paper, (since) => {
  if (pad.picture) return;
  if (pad.empty) {
    turn++;
    unlabel();
    show(null);
    notice("");
    byID("hint").textContent = say("padHint");
    byID("hint").hidden = false;
    return;
  }
  look("drawing", pad.bytes(), since);
});

byID("undo").addEventListener("click", () => pad.undo());
byID("clear").addEventListener("click", () => pad.clear());
byID("thickness").addEventListener("input", (e) => { pad.thickness = Number(e.target.value); });
pad.thickness = Number(byID("thickness").value);

// fresh begins with another image.
function fresh() {
  turn++;
  unlabel();
  notice("");
}

const indices = {}; // of the next built-in digit, by class
for (const button of document.querySelectorAll("[data-write]")) {
  const digit = button.dataset.write;
  button.setAttribute("aria-label", say("writeOne", button.textContent));
  button.addEventListener("click", async () => {
    try {
      const response = await request(`api/strokes?digit=${digit}&index=${indices[digit] ?? 0}`);
      const answer = await response.json();
      indices[digit] = answer.next;
      fresh();
      pad.replay(answer.strokes);
    } catch (error) {
      trouble(error);
    }
  });
}

if (about.samples > 0) {
  const field = byID("sample");
  field.max = about.samples - 1;
  byID("sample-of").textContent = say("sampleOf", grouped(about.samples));
  const choose = async () => {
    const index = Math.min(Math.max(Math.trunc(Number(field.value)) || 0, 0), about.samples - 1);
    field.value = index;
    try {
      const response = await request(`api/sample?index=${index}`);
      const answer = await response.json();
      fresh();
      byID("sample-of").textContent = say("labelled", grouped(about.samples), about.classes[answer.label]);
      const pixels = Uint8Array.from(answer.input);
      pad.cover((ctx, side) => cover(ctx, side, pixels));
      look("input", pixels);
    } catch (error) {
      trouble(error);
    }
  };
  field.addEventListener("change", choose);
  byID("another").addEventListener("click", () => {
    field.value = Math.floor(Math.random() * about.samples);
    choose();
  });
}

// cover draws an image of the data set on the pad.
function cover(ctx, side, pixels) {
  const small = document.createElement("canvas");
  small.width = about.cols;
  small.height = about.rows;
  const data = small.getContext("2d").createImageData(about.cols, about.rows);
  const rgb = colours().inkRGB;
  pixels.forEach((v, i) => data.data.set([...rgb, v], 4 * i));
  small.getContext("2d").putImageData(data, 0, 0);
  ctx.imageSmoothingEnabled = false;
  const scale = side / Math.max(about.rows, about.cols);
  ctx.drawImage(small, (side - scale * about.cols) / 2, (side - scale * about.rows) / 2, scale * about.cols, scale * about.rows);
}

// -- Pictures

function open(file) {
  if (!file) {
    notice(say("errNoFile"));
    return;
  }
  if (file.size > about.picture) {
    notice(new Problem("large").words());
    return;
  }
  fresh();
  // It is shown when the server has taken it: its size is checked there.
  look("picture", file, 0, async () => {
    const mine = turn;
    const bitmap = await createImageBitmap(file);
    if (mine !== turn) return;
    pad.cover((ctx, side) => {
      const scale = side / Math.max(bitmap.width, bitmap.height);
      const w = scale * bitmap.width, h = scale * bitmap.height;
      ctx.imageSmoothingEnabled = true;
      ctx.drawImage(bitmap, (side - w) / 2, (side - h) / 2, w, h);
    });
  });
}

const images = (files) => [...files].find((f) => f.type.startsWith("image/"));

byID("file").addEventListener("change", (e) => {
  open(e.target.files[0]);
  e.target.value = "";
});
document.addEventListener("paste", (e) => {
  if (e.target.matches?.("input[type=text], input[type=number]")) return;
  open(images(e.clipboardData.files));
});
document.addEventListener("dragover", (e) => {
  e.preventDefault();
  byID("drop").classList.add("over");
});
document.addEventListener("dragleave", () => byID("drop").classList.remove("over"));
document.addEventListener("drop", (e) => {
  e.preventDefault();
  byID("drop").classList.remove("over");
  open(images(e.dataTransfer.files));
});

// -- What was it?

byID("rate").value = about.rate;
byID("labels").addEventListener("change", (e) => {
  label = Number(e.target.value);
  refresh(flow);
});

// flow shows the way of the error: outputs, hidden units, input.
function flow() {
  document.body.classList.remove("flow");
  void document.body.offsetWidth; // so that it begins again
  document.body.classList.add("flow");
}

function train(count) {
  const rate = Number(byID("rate").value.replace(",", "."));
  if (!(rate > 0 && rate <= 1e6)) {
    notice(say("errRate"));
    byID("rate").focus();
    return;
  }
  if (!input || label < 0) return;
  const mine = turn;
  byID("step").disabled = byID("steps").disabled = true;
  queue(async () => {
    const image = input;
    if (mine !== turn || image === null) return;
    try {
      const response = await request(path("step", { steps: count, rate }), { method: "POST", body: image, headers: headers() });
      const answer = await response.json();
      copy = answer.copy;
      steps = answer.steps;
      whose();
      if (mine !== turn) return;
      notice("");
      show(answer);
      flow();
      const { before, cost } = answer.told;
      byID("cost").textContent = say("trained", short(before), short(cost)) +
        (cost > 0.01 && Math.abs(before - cost) < 0.01 * before ? ` ${say("saturated")}` : "");
    } catch (error) {
      trouble(error);
      byID("step").disabled = byID("steps").disabled = !(view && view.told);
    }
  });
}

byID("step").addEventListener("click", () => train(1));
byID("steps").addEventListener("click", () => train(10));
byID("reset").addEventListener("click", () => {
  queue(async () => {
    const was = headers();
    forget();
    try {
      await request("api/reset", { method: "POST", headers: was });
    } catch (error) {
      trouble(error);
    }
    weights();
    if (input) refresh(() => { byID("cost").textContent = say("resetDone"); });
    else byID("cost").textContent = say("resetDone");
  });
});

// -- Units

const units = new Units(byID("tiles"), (unit) => {
  units.unit = unit;
  byID("unit").value = unit + 1;
  units.draw();
});
byID("unit").addEventListener("input", (e) => {
  const unit = Math.trunc(Number(e.target.value)) - 1;
  if (unit >= 0 && unit < about.units) {
    units.unit = unit;
    units.draw();
  }
});
byID("show").addEventListener("change", (e) => {
  units.gradient = e.target.value === "gradient";
  units.draw();
});
if (byID("first")) byID("first").textContent = say("unitsFirst", grouped(about.units), grouped(about.layers[1]));

// -- Light and dark

function repaint() {
  pad.draw();
  units.paint();
  units.draw();
  if (byID("deep")) deeper(byID("deep"), view);
  if (view && view.told) signed(byID("slope"), view.told.slope);
}

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", repaint);
byID("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const now = root.dataset.theme || (dark.matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("trainer-theme", root.dataset.theme);
  } catch { /* storage may be switched off */ }
  repaint();
});

// -- The beginning

byID("sees").setAttribute("aria-label", say("seesLabel", about.cols, about.rows));
show(null);
if (byID("deep")) new ResizeObserver(() => deeper(byID("deep"), view)).observe(byID("deep"));
if (about.ready) weights();
if (about.live) {
  watch(() => {
    if (copy) return;
    if (input) refresh();
    else weights();
  }, (gone) => {
    if (gone) notice(say("lost"));
    else if (byID("notice").textContent === say("lost")) notice("");
  });
}
