import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';

const cacheDirectory = '/var/cache/criu-flow';

/** What is built once, and kept for all labs of this machine. */
export interface CachedDirectory {
  /** What kind of thing it is, for the directory's name: lower-case letters and hyphens. */
  readonly kind: string;
  /** Everything that it is made from: other ingredients are another directory. */
  readonly ingredients: unknown;
  /** Fills a directory that does not exist yet. */
  readonly build: (directory: string) => Promise<void>;
}

/** Where it is, or will be. */
export function cachedPath({ kind, ingredients }: Omit<CachedDirectory, 'build'>): string {
  const digest = createHash('sha256').update(JSON.stringify(ingredients)).digest('hex');
  return `${cacheDirectory}/${kind}-${digest.slice(0, 16)}`;
}

/** Builds it when it is not there. Two that build at once do not disturb each other; the first to finish wins. */
export async function ensureCached(cached: CachedDirectory): Promise<string> {
  const directory = cachedPath(cached);
  if (existsSync(directory)) return directory;
  await mkdir(cacheDirectory, { recursive: true, mode: 0o755 });
  await removeAbandoned();
  const building = `${cacheDirectory}/building-${process.pid}-${randomUUID()}`;
  try {
    await cached.build(building);
    await rename(building, directory).catch((error: NodeJS.ErrnoException) => {
      // Somebody else was quicker.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  return directory;
}

/** What a build that was killed left behind. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(cacheDirectory)) {
    const pid = /^building-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) {
      await rm(`${cacheDirectory}/${name}`, { recursive: true, force: true });
    }
  }
}
