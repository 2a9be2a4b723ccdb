/**
 * Where a file that criu-flow is shipped with is. This module is as deep in `src`, in `dist` and in the bundled command, so
 * that one relative path holds from each.
 */
export function packageFile(path: string): URL {
  return new URL(`../../${path}`, import.meta.url);
}
