// Asks for the page again and puts its live parts in place: a deploy is seen without a reload. The form is left alone.
const EVERY_MS = 1000, MARKS = 60;
const watch = document.getElementById("watch");
const marks = watch.querySelector(".marks");
const parser = new DOMParser();

function count(name) {
  const shown = watch.querySelector(`[data-tally=${name}]`);
  shown.textContent = Number(shown.textContent) + 1;
  if (name === "failures") shown.dataset.some = "";
}

function mark(title, hue) {
  const cell = marks.appendChild(document.createElement("i"));
  cell.title = title;
  if (hue) cell.style.setProperty("--hue", hue); else cell.className = "failed";
  if (marks.childElementCount > MARKS) marks.firstElementChild.remove();
}

function show(page) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (fresh && fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
  }
  const { commit, hue, task } = page.documentElement.dataset;
  document.documentElement.style.setProperty("--hue", hue);
  document.title = page.title;
  mark(`commit ${commit.slice(0, 12)}, task ${task || "unknown"}`, hue);
}

async function ask() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/", { signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      show(parser.parseFromString(await answer.text(), "text/html"));
      count("answers");
    } catch (error) {
      mark(String(error.message));
      count("failures");
    }
  }
  setTimeout(ask, EVERY_MS);
}

watch.hidden = false;
ask();
