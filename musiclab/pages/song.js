// The cursor of a song's page: it follows the player, and the player follows clicks and keys.
"use strict";
(() => {
  const STEP = 5; // s, of an arrow key
  const song = JSON.parse(document.getElementById("values").textContent);
  const audio = document.querySelector("audio");
  const timeline = document.getElementById("timeline");
  const plots = [...document.querySelectorAll(".plot")];
  document.documentElement.classList.add("script");

  // Values between the middles of two windows lie on a line, as they are drawn; before the first and after the last, they stay.
  function valuesAt({ seconds, values }, time) {
    const after = seconds.findIndex((second) => second > time);
    if (after === 0) return values[0];
    if (after < 0) return values[values.length - 1];
    const [before, next] = [values[after - 1], values[after]];
    if (!before || !next) return null;
    const share = (time - seconds[after - 1]) / (seconds[after] - seconds[after - 1]);
    return before.map((value, index) => value + share * (next[index] - value));
  }

  function show() {
    const time = Math.min(audio.currentTime, song.duration);
    timeline.style.setProperty("--at", time / song.duration);
    for (const panel of document.querySelectorAll(".panel[data-key]")) {
      if (panel.dataset.key === "beats") continue;
      const answers = song[panel.dataset.key];
      const values = valuesAt(answers, time);
      panel.querySelectorAll("td.here").forEach((cell, line) => {
        const columns = answers.lines[line];
        cell.textContent = values ? columns.reduce((sum, column) => sum + values[column], 0).toFixed(2) : "–";
      });
    }
    for (const path of document.querySelectorAll(".path")) {
      const answers = song[path.dataset.key];
      const values = valuesAt(answers, time);
      const dot = path.querySelector(".dot");
      dot.hidden = !values;
      if (!values) continue;
      for (const side of ["across", "up"]) {
        const [low, high] = path.dataset[`${side}Limits`].split(" ").map(Number);
        const value = values[answers.names.indexOf(path.dataset[side])];
        dot.style.setProperty(`--${side}`, (value - low) / (high - low));
      }
    }
  }

  function follow() {
    show();
    if (!audio.paused) requestAnimationFrame(follow);
  }

  function move(time) {
    audio.currentTime = Math.max(0, Math.min(time, song.duration));
    show();
  }

  function moveTo(event) {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    move(((event.clientX - left) / width) * song.duration);
  }

  for (const plot of plots) {
    plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      plot.setPointerCapture(event.pointerId);
      moveTo(event);
    });
    plot.addEventListener("pointermove", (event) => {
      if (plot.hasPointerCapture(event.pointerId)) moveTo(event);
    });
  }

  document.addEventListener("keydown", (event) => {
    const own = event.target.closest("audio, a, button, input"); // which have keys of their own
    if (own || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") {
      if (audio.paused) audio.play();
      else audio.pause();
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      move(audio.currentTime + (event.key === "ArrowLeft" ? -STEP : STEP));
    } else {
      return;
    }
    event.preventDefault();
  });

  audio.addEventListener("play", follow);
  for (const name of ["timeupdate", "seeking", "seeked", "loadedmetadata"]) audio.addEventListener(name, show);
  show();
})();
