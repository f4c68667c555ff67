// Requests to the server, one after the other. Of several images that wait, only the
// last is sent: so the answer never lags behind the pen.

import { about, say } from "./words.js";

// Problem is an answer of the server that it cannot do what was asked.
export class Problem extends Error {
  constructor(code, text) {
    super(code);
    this.code = code;
    this.detail = text || "";
  }

  // words are for the user.
  words() {
    const key = "err" + this.code.charAt(0).toUpperCase() + this.code.slice(1);
    if (this.code === "lost") return say("lost");
    if (this.code === "large") return say("errLarge", Math.floor(about.picture / 1e6));
    return about.words[key] ? say(key, this.detail) : say("errFailed", this.detail || this.code);
  }
}

// request sends a request. It returns the response, or throws a Problem.
export async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Problem("lost");
  }
  if (response.ok) return response;
  let answer = {};
  try {
    answer = await response.json();
  } catch { /* it is no answer of ours */ }
  throw new Problem(answer.error || "failed", answer.text || `HTTP ${response.status}`);
}

const jobs = [];
let busy = false;

// queue has a job run after those before it. A job that can be replaced gives way to
// the next one of this kind while it waits.
export function queue(run, replaceable = false) {
  const last = jobs[jobs.length - 1];
  if (replaceable && last && last.replaceable) jobs.pop();
  jobs.push({ run, replaceable });
  if (!busy) work();
}

// waiting reports whether a job waits.
export function waiting() { return jobs.length > 0; }

async function work() {
  busy = true;
  while (jobs.length > 0) await jobs.shift().run();
  busy = false;
}
