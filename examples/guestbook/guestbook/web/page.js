// Asks for the page again and puts its live parts in place: a deploy is seen without a reload. The form is left alone.
const EVERY_MS = 1000, MARKS = 60, COMMITS = 4;
const watch = document.getElementById("watch");
const marks = watch.querySelector(".marks");
const tally = watch.querySelector(".tally");
const parser = new DOMParser();

function colour(cell, hue) {
  if (hue) cell.style.setProperty("--hue", hue); else cell.className = "failed";
  return cell;
}

function count(name, hue) {
  let row = tally.querySelector(`[data-name="${name}"]`);
  if (!row) {
    row = document.createElement("li");
    row.dataset.name = name;
    tally.lastElementChild.before(row);
    row.append(colour(document.createElement("i"), hue), document.createElement("code"), document.createElement("b"));
    row.querySelector("code").textContent = name;
    if (tally.childElementCount > COMMITS + 1) tally.firstElementChild.remove();
  }
  const total = row.querySelector("b");
  total.textContent = Number(total.textContent) + 1;
}

function mark(name, title, hue) {
  colour(marks.appendChild(document.createElement("i")), hue).title = title;
  if (marks.childElementCount > MARKS) marks.firstElementChild.remove();
  count(name, hue);
}

function show(page) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (fresh && fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
  }
  document.documentElement.style.setProperty("--hue", page.documentElement.dataset.hue);
  document.title = page.title;
}

async function ask() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/", { signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      const page = parser.parseFromString(await answer.text(), "text/html");
      const { commit, hue, task } = page.documentElement.dataset;
      show(page);
      mark(commit.slice(0, 12), `commit ${commit}, task ${task || "unknown"}`, hue);
    } catch (error) {
      mark("failed", String(error.message));
    }
  }
  setTimeout(ask, EVERY_MS);
}

watch.hidden = false;
ask();
