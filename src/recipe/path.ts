/** Where a value is in a recipe: keys and indices from the top. */
export type Path = readonly (string | number)[];

/** A path as messages show it: `steps[2].with.argv[0]`; `the recipe` for the top. */
export function describePath(path: Path): string {
  if (path.length === 0) return 'the recipe';
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** One string for each path, for maps. */
export function pathKey(path: Path): string {
  return JSON.stringify(path);
}

/** Calls `visit` for each scalar below a value, with its path. */
export function forEachScalar(
  value: unknown,
  visit: (path: Path, scalar: unknown) => void,
  path: Path = [],
): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) forEachScalar(item, visit, [...path, index]);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) forEachScalar(item, visit, [...path, key]);
  } else {
    visit(path, value);
  }
}
