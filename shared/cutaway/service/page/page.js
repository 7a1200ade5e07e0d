// The page: a picture comes in, its background is removed, the result can be looked at and kept.

import * as comparison from "./comparison.js";
import * as options from "./options.js";
import { offer, remove } from "./service.js";

const part = (name) => document.getElementById(name);
const stage = part("stage");
const file = part("file");
const download = part("download");

let picture = null;
let work = null;

file.addEventListener("change", () => take(file.files));
part("drop").addEventListener("click", () => file.click());
part("options").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
part("cancel").addEventListener("click", () => work?.abort());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") work?.abort();
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) take(event.clipboardData.files);
});
for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    stage.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) stage.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  stage.classList.remove("over");
  if (event.dataTransfer.files.length) take(event.dataTransfer.files);
  else tell("That was no file", "Save the picture first, then drop its file.");
});
start();

async function start() {
  try {
    options.prepare(await offer());
  } catch (failure) {
    tell("The page can't start", failure.message);
  }
}

/** Take the first of some files as the picture, and begin. */
function take([first]) {
  if (!first) return;
  picture = first;
  file.value = "";
  part("remove").disabled = false;
  part("choose-words").textContent = "Choose another";
  part("choose").classList.remove("main");
  run();
}

async function run() {
  if (!picture || !options.usable()) return;
  work?.abort();
  const mine = new AbortController();
  work = mine;
  begin();
  const timer = setInterval(elapsed(), 1000);
  try {
    const source = picture;
    const name = options.fileName(source.name || "picture");
    const asked = options.parameters();
    part("drop").hidden = await comparison.wait(source);
    const began = performance.now();
    const result = await remove(source, asked, { key: options.key(), signal: mine.signal });
    const seconds = (performance.now() - began) / 1000;
    if (work === mine) await finish(result, name, seconds);
  } catch (failure) {
    if (work === mine) fail(failure, mine.signal.aborted);
  } finally {
    clearInterval(timer);
    if (work === mine) end();
  }
}

function begin() {
  tell("");
  download.hidden = true;
  part("cancel").hidden = false;
  part("facts").textContent = "";
  stage.setAttribute("aria-busy", "true");
  part("working").textContent = "Removing the background…";
}

function end() {
  work = null;
  part("cancel").hidden = true;
  stage.removeAttribute("aria-busy");
}

async function finish(result, name, seconds) {
  await comparison.show(result, (width, height) =>
    `${name} · ${width} × ${height} · ${size(result.size)} · ${seconds.toFixed(2)} s`);
  part("drop").hidden = true;
  URL.revokeObjectURL(download.href);
  download.href = URL.createObjectURL(result);
  download.download = name;
  download.textContent = `Download ${name.split(".").pop().toUpperCase()}`;
  download.hidden = false;
  part("working").textContent = "Done. The slider shows before and after.";
}

function fail(failure, cancelled) {
  comparison.hide();
  part("drop").hidden = false;
  part("working").textContent = cancelled ? "Cancelled." : "";
  if (cancelled) return;
  const wait = failure.retryAfter ? ` Try again in ${failure.retryAfter} seconds.` : "";
  tell("The background was not removed", `${sentence(failure.message)}${wait}`);
  if (failure.wantsKey) options.askForKey();
}

/** Tell what went wrong; nothing, if there is no title. */
function tell(title, words = "") {
  const strong = document.createElement("strong");
  strong.textContent = title;
  part("problem").replaceChildren(...(title ? [strong, document.createTextNode(words)] : []));
}

function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What to do each second while a task runs: now and then tell how long it has taken. */
function elapsed() {
  let seconds = 0;
  return () => {
    seconds += 1;
    if (seconds % 5 === 0) part("working").textContent = `Removing the background… ${seconds} s`;
  };
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
