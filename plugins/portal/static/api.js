// The REST API, and what goes wrong with it.

export const base = document.documentElement.dataset.base;

/** The address of a path of the API; query values that are null or empty are left out. */
export function address(path, query = {}) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") words.append(name, one);
    }
  }
  const asked = words.toString();
  return `${base}/api/v1${path}${asked ? `?${asked}` : ""}`;
}

/** What the server refused: its sentence and its status; when to come again, and from which byte, where it said so. */
export class Refused extends Error {
  constructor(status, answer, retryAfter = null, offset = null) {
    super(sentence(status, answer));
    this.status = status;
    this.retryAfter = Number(retryAfter) || null;
    this.offset = offset === null ? null : Number(offset);
  }
}

function sentence(status, answer) {
  const detail = answer?.detail;
  if (typeof detail === "string") return detail;
  if (Array.isArray(detail) && detail.length) return detail.map((one) => one.msg).join("; ");
  if (status === 413) return "This is too large.";
  if (status === 429) return "That were too many requests in a short time; try again in a moment.";
  return `The server answered ${status}.`;
}

/** An answer of the API as JSON; Refused where it is none. */
export async function call(path, { method = "GET", json, body, query, signal } = {}) {
  const headers = json === undefined ? {} : { "Content-Type": "application/json" };
  const answer = await fetch(address(path, query), {
    method,
    headers,
    body: json === undefined ? body : JSON.stringify(json),
    signal,
    credentials: "same-origin",
  });
  const text = await answer.text();
  let data = null;
  try {
    data = text ? JSON.parse(text) : null;
  } catch {
    // A proxy's page of an error: the status says it.
  }
  if (answer.ok) return data;
  if (answer.status === 401) location.reload(); // the page itself leads to the log-in, and back
  throw new Refused(answer.status, data, answer.headers.get("Retry-After"));
}
