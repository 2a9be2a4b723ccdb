import { readFileSync } from 'node:fs';

/** criu-flow's own version. The path holds from src/ and from dist/ alike. */
export function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const manifest: { readonly version: string } = JSON.parse(text);
  return manifest.version;
}
