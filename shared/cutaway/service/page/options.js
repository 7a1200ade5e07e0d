// The form beside the picture: what is chosen in it, and which of its fields matter.

const form = document.getElementById("options");
const field = (name) => document.getElementById(name);
const SUFFIXES = { PNG: "png", WEBP: "webp", JPG: "jpg" };

/** Fill in what the service has, and keep the form to what goes together. */
export function prepare({ models, needsKey }) {
  field("key-field").hidden = !needsKey;
  field("model").replaceChildren(...models.map(asOption));
  for (const kind of ["input", "change"]) form.addEventListener(kind, settle);
  settle();
}

/** Whether everything in the form can be used; the browser points at what can't. */
export function usable() {
  return form.reportValidity();
}

export function key() {
  return field("key").value.trim();
}

export function askForKey() {
  field("key-field").hidden = false;
  field("key").focus();
}

/** What the form asks for, in the wire's words. */
export function parameters() {
  const format = field("format").value;
  const settings = {};
  if (result() === "mask") settings.returnOnlyMask = true;
  if (result() === "colour") settings.rgba = [...channels(field("colour").value), 1];
  if (field("smooth").checked) settings.postProcessMask = true;
  if (field("matting").checked) {
    settings.alphaMatting = true;
    settings.alphaMattingForegroundThreshold = field("foreground").valueAsNumber;
    settings.alphaMattingBackgroundThreshold = field("background").valueAsNumber;
    settings.alphaMattingErodeSize = field("erode").valueAsNumber;
  }
  const chosen = { model: field("model").value, outputFormat: format };
  if (format !== "PNG") chosen.outputQuality = field("quality").valueAsNumber;
  if (Object.keys(settings).length) chosen.settings = settings;
  return chosen;
}

/** What to call the result of a picture of that name. */
export function fileName(name) {
  const stem = name.replace(/\.[^.]*$/, "") || "picture";
  return `${stem}-${result() === "mask" ? "mask" : "cutout"}.${SUFFIXES[field("format").value]}`;
}

function result() {
  return form.elements.result.value;
}

function settle() {
  const transparent = result() === "cutout";
  const jpg = field("format").querySelector('[value="JPG"]');
  jpg.disabled = transparent;
  if (transparent && jpg.selected) field("format").value = "PNG";
  field("colour-field").hidden = result() !== "colour";
  show("quality-field", field("format").value !== "PNG");
  show("matting-fields", field("matting").checked);
  field("model-hint").textContent = field("model").selectedOptions[0]?.dataset.hint ?? "";
}

/** Show a part of the form or not; a hidden number is neither asked for nor judged. */
function show(name, shown) {
  field(name).hidden = !shown;
  for (const input of field(name).querySelectorAll("input")) input.disabled = !shown;
}

function asOption({ name, title, goodFor, chosen }) {
  const option = new Option(title, name, chosen, chosen);
  option.dataset.hint = goodFor ? `Good for: ${goodFor}` : "";
  return option;
}

function channels(colour) {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
}
