// The drawing pad: strokes by mouse, finger, pen or keyboard, and pictures over them.
//
// Places are parts of the pad's side, from 0 to 1. What is drawn is kept as strokes,
// on the screen in its resolution, and as the drawing that is sent: black on white,
// `paper` pixels a side.

import { colours, say } from "./words.js";

const keyStep = 1 / 40; // a press of an arrow key

export class Pad {
  // changed(since) is called when the drawing has changed. since is the time of the
  // event, on the clock of performance.now.
  constructor(canvas, pen, paper, changed) {
    this.canvas = canvas;
    this.pen = pen;
    this.paper = paper;
    this.changed = changed;
    this.thickness = 9; // pixels of the drawing
    this.strokes = [];
    this.cleared = []; // strokes that Undo brings back
    this.picture = null; // over the strokes: draws itself
    this.current = null; // the stroke under way
    this.pointer = null; // its pointer
    this.at = { x: 0.5, y: 0.3, down: false }; // the keyboard's pen
    this.ctx = canvas.getContext("2d");
    const sheet = document.createElement("canvas");
    sheet.width = sheet.height = paper;
    this.sheet = sheet.getContext("2d", { willReadFrequently: true, alpha: false });
    this.listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
    this.draw();
  }

  get empty() { return this.strokes.length === 0; }

  // bytes returns the drawing: 0 is ink, 255 paper.
  bytes() {
    const rgba = this.sheet.getImageData(0, 0, this.paper, this.paper).data;
    const grey = new Uint8Array(this.paper * this.paper);
    for (let i = 0; i < grey.length; i++) grey[i] = rgba[4 * i];
    return grey;
  }

  listen() {
    const c = this.canvas;
    c.addEventListener("pointerdown", (e) => {
      if (this.pointer !== null || e.button !== 0) return; // a second finger
      e.preventDefault();
      c.focus({ preventScroll: true });
      this.stop();
      try {
        c.setPointerCapture(e.pointerId);
      } catch { /* the pointer is gone already */ }
      this.pointer = e.pointerId;
      this.begin(...this.place(e), e.timeStamp);
    });
    // The raw event does not wait for the next frame. Not all browsers have it, and none
    // without a secure context.
    c.addEventListener("onpointerrawupdate" in window ? "pointerrawupdate" : "pointermove", (e) => {
      if (e.pointerId !== this.pointer) return;
      const all = e.getCoalescedEvents ? e.getCoalescedEvents() : [];
      for (const each of all.length > 0 ? all : [e]) this.extend(...this.place(each));
      this.changed(e.timeStamp);
    });
    const end = (e) => {
      if (e.pointerId !== this.pointer) return;
      this.pointer = this.current = null;
    };
    c.addEventListener("pointerup", end);
    c.addEventListener("pointercancel", end);
    c.addEventListener("keydown", (e) => this.key(e));
    c.addEventListener("blur", () => this.lift());
  }

  place(e) {
    const r = this.canvas.getBoundingClientRect();
    return [(e.clientX - r.left) / r.width, (e.clientY - r.top) / r.height];
  }

  key(e) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (move) {
      this.at.x = Math.min(Math.max(this.at.x + move[0] * keyStep, 0), 1);
      this.at.y = Math.min(Math.max(this.at.y + move[1] * keyStep, 0), 1);
      if (this.at.down) {
        this.extend(this.at.x, this.at.y);
        this.changed(e.timeStamp);
      }
    } else if (e.key === " ") {
      if (this.at.down) this.lift();
      else {
        this.stop();
        this.at.down = true;
        this.begin(this.at.x, this.at.y, e.timeStamp);
      }
    } else if (e.key === "Backspace" || (e.key === "z" && (e.ctrlKey || e.metaKey))) {
      this.undo();
    } else if (e.key === "Delete") {
      this.clear();
    } else {
      return;
    }
    e.preventDefault();
    this.showPen(true);
  }

  showPen(on) {
    this.pen.hidden = !on;
    this.pen.style.left = `${100 * this.at.x}%`;
    this.pen.style.top = `${100 * this.at.y}%`;
    this.pen.classList.toggle("down", this.at.down);
    this.pen.title = say(this.at.down ? "penDown" : "penUp");
  }

  lift() {
    if (this.at.down) this.current = null;
    this.at.down = false;
    this.showPen(false);
  }

  begin(x, y, since) {
    if (this.picture) {
      this.picture = null;
      this.strokes = [];
    }
    this.cleared = [];
    this.current = { width: this.thickness / this.paper, points: [[x, y]] };
    this.strokes.push(this.current);
    if (this.strokes.length === 1) this.draw(); // what a picture left
    this.segment(this.current, 0);
    this.changed(since);
  }

  extend(x, y) {
    if (!this.current) return;
    const points = this.current.points;
    const [u, v] = points[points.length - 1];
    if (x === u && y === v) return;
    points.push([x, y]);
    this.segment(this.current, points.length - 1);
  }

  // segment draws the part of a stroke that ends at a point.
  segment(stroke, k) {
    const [x, y] = stroke.points[k];
    const [u, v] = stroke.points[Math.max(k - 1, 0)];
    for (const [ctx, side, colour] of [[this.ctx, this.canvas.width, this.colour], [this.sheet, this.paper, "#000"]]) {
      ctx.strokeStyle = colour;
      ctx.lineWidth = stroke.width * side;
      ctx.lineCap = "round";
      ctx.beginPath();
      ctx.moveTo(u * side, v * side);
      ctx.lineTo(x * side, y * side);
      ctx.stroke();
    }
  }

  // draw draws all anew, in the screen's resolution.
  draw() {
    const side = Math.max(Math.round(this.canvas.clientWidth * devicePixelRatio), 1);
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    this.colour = colours().ink;
    this.ctx.clearRect(0, 0, side, side);
    this.sheet.fillStyle = "#fff";
    this.sheet.fillRect(0, 0, this.paper, this.paper);
    if (this.picture) {
      this.picture(this.ctx, side);
      return;
    }
    for (const s of this.strokes) s.points.forEach((_, k) => this.segment(s, k));
  }

  // stop ends a stroke or a replay that is under way.
  stop() {
    this.current = null;
    this.replaying = null;
  }

  undo() {
    this.stop();
    if (this.picture) this.picture = null;
    else if (this.empty) this.strokes = this.cleared.splice(0);
    else this.strokes.pop();
    this.draw();
    this.changed(performance.now());
  }

  clear() {
    this.stop();
    if (!this.empty && !this.picture) this.cleared = this.strokes;
    this.strokes = [];
    this.picture = null;
    this.draw();
    this.changed(performance.now());
  }

  // cover shows a picture in place of the strokes.
  cover(picture) {
    this.stop();
    this.picture = picture;
    this.draw();
  }

  // replay draws strokes as a hand would, in less than a second.
  replay(strokes) {
    this.clear();
    const points = strokes.flatMap((s, i) => s.map((p, k) => ({ p, first: k === 0, i })));
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const run = (this.replaying = {});
    const began = performance.now();
    let k = 0;
    const tick = () => {
      if (this.replaying !== run) return;
      const now = performance.now();
      const until = still ? points.length : Math.min(points.length, Math.ceil((now - began) / 700 * points.length));
      const before = k;
      for (; k < until; k++) {
        const { p, first } = points[k];
        if (first) this.begin(...p, now);
        else this.extend(...p);
      }
      if (k > before) this.changed(now);
      if (k < points.length) requestAnimationFrame(tick);
      else this.stop();
    };
    tick();
  }
}
