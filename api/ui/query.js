// Queries of paths and addresses.

/** A path with a query made of the values that are not empty. */
export function withQuery(path, values) {
  const given = Object.entries(values).filter(
    ([, value]) => value !== "" && value !== null && value !== undefined,
  );
  const query = new URLSearchParams(given).toString();
  return query ? `${path}?${query}` : path;
}
