// The service as this page speaks to it: tasks as JSON, sent to /v1 beside the page.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 4000;

/** What the service said of a task that failed, or that there was no answer at all. */
export class Failure extends Error {
  constructor(message, { code = "", status = 0, retryAfter = 0 } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
  }

  get wantsKey() {
    return this.status === 401;
  }
}

/** The models that are there, and whether a key is needed. */
export async function offer() {
  const response = await reach("models.json", {});
  if (!response.ok) throw new Failure("The server did not tell which models it has.");
  return response.json();
}

/**
 * Have a background removed; the result's bytes come back as a Blob.
 *
 * A task that outlasts one request goes on in the service, so it is asked for from then on.
 */
export async function remove(picture, parameters, { key, signal }) {
  const taskUUID = newUUID();
  const image = await asDataURI(picture);
  const task = {
    taskType: "removeBackground", taskUUID, inputs: { image }, outputType: "base64Data", ...parameters,
  };
  let item;
  try {
    item = await send(task, key, signal);
  } catch (failure) {
    if (failure.code !== "timeout") throw failure;
    item = await poll(taskUUID, key, signal);
  }
  return asBlob(item.imageBase64Data, parameters.outputFormat);
}

async function poll(taskUUID, key, signal) {
  for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE)) {
    await rest(pause, signal);
    const item = await send({ taskType: "getResponse", taskUUID }, key, signal);
    if (item.imageBase64Data) return item;
  }
}

async function send(task, key, signal) {
  const headers = { "Content-Type": "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  const response = await reach("v1", {
    method: "POST", headers, signal, body: JSON.stringify([task]),
  });
  const answer = await response.json().catch((error) => {
    if (signal.aborted) throw error;
    return {};
  });
  const [problem] = answer.errors ?? [];
  const [item] = answer.data ?? [];
  if (problem || !item) {
    throw new Failure(problem?.message ?? `The server answered with status ${response.status}.`, {
      code: problem?.code,
      status: response.status,
      retryAfter: Number(response.headers.get("Retry-After")) || 0,
    });
  }
  return item;
}

async function reach(address, options) {
  try {
    return await fetch(address, { cache: "no-store", referrerPolicy: "no-referrer", ...options });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Failure("The server could not be reached. See that it runs, and try again.");
  }
}

/** A random UUID of version 4; `crypto.randomUUID` is missing where a page came by plain HTTP. */
function newUUID() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function asDataURI(picture) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Failure("The file could not be read."));
    reader.readAsDataURL(picture);
  });
}

function asBlob(base64, format) {
  const text = atob(base64);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: `image/${format === "JPG" ? "jpeg" : format.toLowerCase()}` });
}

function rest(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
