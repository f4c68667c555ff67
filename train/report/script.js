"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  if (button) {
    const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    const name = () => { button.textContent = dark() ? button.dataset.light : button.dataset.dark; };
    button.hidden = false;
    button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
    name();
  }

  // The cursor over the curves: the slider holds which point it is at.
  const data = document.getElementById("readings"), charts = document.getElementById("charts");
  const slider = document.getElementById("epoch"), reading = document.getElementById("reading");
  if (data && charts && slider && reading) {
    const points = JSON.parse(data.textContent), cells = reading.querySelectorAll("dd");
    const plots = [...charts.querySelectorAll("#chart-accuracy, #chart-cost, #chart-rate")].map(f => f.querySelector(".plot"));
    const show = () => {
      const i = +slider.value;
      points.rows[i].forEach((text, k) => { cells[k].textContent = text; });
      slider.setAttribute("aria-valuetext", points.rows[i][0]);
      for (const plot of plots) {
        const cursor = plot.querySelector(".cursor");
        cursor.setAttribute("x1", 100 * points.x[i] + "%");
        cursor.setAttribute("x2", 100 * points.x[i] + "%");
      }
    };
    const point = event => {
      const box = event.currentTarget.getBoundingClientRect(), x = (event.clientX - box.left) / box.width;
      let nearest = 0;
      points.x.forEach((at, i) => { if (Math.abs(at - x) < Math.abs(points.x[nearest] - x)) nearest = i; });
      slider.value = nearest;
      show();
    };
    for (const plot of plots) {
      plot.addEventListener("pointermove", point);
      plot.addEventListener("pointerdown", point);
    }
    slider.addEventListener("input", show);
    slider.parentElement.hidden = false;
    charts.classList.add("live");
    show();
  }
})();
