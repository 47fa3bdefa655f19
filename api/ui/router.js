// Which view an address asks for: `#/`, `#/jobs?status=failed`, `#/jobs/<id>`, `#/try`.

import { withQuery } from "./query.js";

const VIEWS = [
  [/^\/?$/, "overview"],
  [/^\/jobs\/([^/]+)$/, "job"],
  [/^\/jobs\/?$/, "jobs"],
  [/^\/try\/?$/, "try"],
];

/** The view's name and parameters; null for an address that is none of ours. */
export function route(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#/, "").split("?");
  for (const [pattern, name] of VIEWS) {
    const match = pattern.exec(path);
    if (match) return { name, id: decoded(match[1]), query: new URLSearchParams(query) };
  }
  return null;
}

export const toJob = (id, query = {}) => withQuery(`#/jobs/${encodeURIComponent(id)}`, query);
export const toJobs = (query = {}) => withQuery("#/jobs", query);

/** Go to a view. */
export function go(hash) {
  location.hash = hash;
}

/** Note in the address what a view shows, without going anywhere. */
export function note(hash) {
  history.replaceState(null, "", hash);
}

function decoded(text) {
  try {
    return text === undefined ? null : decodeURIComponent(text);
  } catch {
    return text;
  }
}
