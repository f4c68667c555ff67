// What the server says about the page, and the words of its language.

export const about = JSON.parse(document.getElementById("about").textContent);

// say returns the words of a key. %s, or %[n]s with an index from 1, stands for an
// argument.
export function say(key, ...args) {
  let next = 0;
  return about.words[key].replace(/%(?:\[(\d+)\])?s/g, (_, n) => args[n ? n - 1 : next++]);
}

// digits writes a number with some digits after the point, and a true minus sign. A
// zero has none.
export function digits(v, n) {
  const text = v.toFixed(n);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

// short writes a number with about three significant digits.
export function short(v) {
  const text = v !== 0 && (Math.abs(v) < 0.001 || Math.abs(v) >= 1e5) ? v.toExponential(1) : String(Number(v.toPrecision(3)));
  return text.replace(/-/g, "−");
}

// grouped writes a whole number with its thousands apart.
export function grouped(n) { return Math.round(n).toLocaleString(about.language); }

// The signs of numbers in pictures: blue is positive, orange negative.
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return {
    plus: rgb(of("--plus")), minus: rgb(of("--minus")), bar: of("--bar"), track: of("--track"),
    ink: of("--ink"), inkRGB: rgb(of("--ink")), focus: of("--focus"),
  };
}
