// The API, as any application speaks to it. The key is the visitor's, and stays in this tab.

const KEY = "locum.key";
export const BASE = `${location.origin}/v1`;

/** What the API refused, in its own words. */
export class ApiError extends Error {
  constructor(message, status, requestId) {
    super(message);
    this.status = status;
    this.requestId = requestId;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

export function headers() {
  return { Authorization: `Bearer ${key.get()}`, "OpenAI-Beta": "assistants=v2" };
}

async function refused(response) {
  const id = response.headers.get("x-request-id");
  let message = `The server answered ${response.status}.`;
  try {
    message = (await response.json()).error.message;
  } catch {
    // It was something in front of Locum that answered.
  }
  return new ApiError(message, response.status, id);
}

/** One request; gives the response. Throws ApiError for what is refused, and where the server cannot be reached. */
export async function request(method, url, body, options = {}) {
  const sent = { method, headers: { ...headers(), ...options.headers }, signal: options.signal };
  if (body instanceof FormData) sent.body = body;
  else if (body !== undefined) {
    sent.headers["Content-Type"] = "application/json";
    sent.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(url, sent);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached.", 0, null);
  }
  if (!response.ok) throw await refused(response);
  return response;
}

const json = async (method, path, body) => (await request(method, BASE + path, body)).json();

export const get = (path) => json("GET", path);
export const post = (path, body = {}) => json("POST", path, body);
export const remove = (path) => json("DELETE", path);

/** A path with its query; what is empty is left out. */
export function query(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const search = new URLSearchParams(given);
  return search.size ? `${path}?${search}` : path;
}

/** All objects of a list, page after page, at most `most`. */
export async function all(path, parameters = {}, most = 1000) {
  const found = [];
  let after;
  do {
    const page = await get(query(path, { limit: 100, after, ...parameters }));
    found.push(...page.data);
    after = page.has_more ? page.last_id : null;
  } while (after && found.length < most);
  return found;
}

/** The content of a file as a blob: an `<img>` cannot send a key. */
export async function content(fileId) {
  return (await request("GET", `${BASE}/files/${fileId}/content`)).blob();
}

/** Uploads a file; `progress` is told the share that has been sent. (fetch cannot tell it.) */
export function upload(file, purpose, progress) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    const form = new FormData();
    form.append("purpose", purpose);
    form.append("file", file);
    sending.open("POST", `${BASE}/files`);
    for (const [name, value] of Object.entries(headers())) sending.setRequestHeader(name, value);
    sending.responseType = "json";
    sending.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    sending.onload = () => {
      if (sending.status === 200) return resolve(sending.response);
      const message = sending.response?.error?.message ?? `The server answered ${sending.status}.`;
      return reject(new ApiError(message, sending.status, sending.getResponseHeader("x-request-id")));
    };
    sending.onerror = () => reject(new ApiError("The server cannot be reached.", 0, null));
    sending.send(form);
  });
}
