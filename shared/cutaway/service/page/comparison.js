// Before and after, one above the other, with a slider between them.

const figure = document.getElementById("comparison");
const frame = document.getElementById("frame");
const before = document.getElementById("before");
const after = document.getElementById("after");
const split = document.getElementById("split");

split.addEventListener("input", move);

/** Show a picture while its result is waited for; true if the browser can show it. */
export async function wait(picture) {
  figure.hidden = false;
  figure.classList.add("waiting");
  const shown = await load(before, picture);
  await load(after, picture);
  figure.hidden = !shown;
  figure.classList.toggle("alone", !shown);
  return shown;
}

/** Show a result over the picture; it stands alone where the browser can't show the other. */
export async function show(result, told) {
  await load(after, result);
  figure.hidden = false;
  figure.classList.remove("waiting");
  split.value = 50;
  move();
  document.getElementById("facts").textContent = told(after.naturalWidth, after.naturalHeight);
}

/** Show nothing. */
export function hide() {
  figure.hidden = true;
}

function move() {
  frame.style.setProperty("--split", `${split.value}%`);
  split.setAttribute("aria-valuetext", `${split.value} percent original`);
}

function load(image, blob) {
  URL.revokeObjectURL(image.src);
  return new Promise((resolve) => {
    image.onload = () => resolve(true);
    image.onerror = () => resolve(false);
    image.src = URL.createObjectURL(blob);
  });
}
