import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';

const CACHE_DIRECTORY = '/var/cache/criu-flow';

/** Milliseconds after its last use when what was built by other versions of criu-flow is removed: no lab is left so long. */
const UNUSED_MS = 30 * 24 * 3_600_000;

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
export function cachedPath(
  { kind, ingredients }: Omit<CachedDirectory, 'build'>,
  cacheDirectory: string = CACHE_DIRECTORY,
): string {
  const digest = createHash('sha256').update(JSON.stringify(ingredients)).digest('hex');
  return `${cacheDirectory}/${kind}-${digest.slice(0, 16)}`;
}

/**
 * Builds it when it is not there, and then removes what was not used for a month. Two that build at once do not disturb each other; the
 * first to finish wins.
 */
export async function ensureCached(
  cached: CachedDirectory,
  cacheDirectory: string = CACHE_DIRECTORY,
): Promise<string> {
  const directory = cachedPath(cached, cacheDirectory);
  if (existsSync(directory)) {
    await markUsed(directory);
    return directory;
  }
  await mkdir(cacheDirectory, { recursive: true, mode: 0o755 });
  await removeUnused(cacheDirectory);
  const building = `${cacheDirectory}/building-${process.pid}-${randomUUID()}`;
  try {
    await cached.build(building);
    await rename(building, directory).catch((error: NodeJS.ErrnoException) => {
      // Somebody else was quicker.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    // What unpacks an archive may have made it as old as that.
    await markUsed(directory);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  return directory;
}

async function markUsed(directory: string): Promise<void> {
  const now = new Date();
  // Who may only read a cache uses it, too.
  await utimes(directory, now, now).catch(() => undefined);
}

/** Nobody sees a half of it. */
async function removeAtOnce(directory: string, cacheDirectory: string): Promise<void> {
  const removing = `${cacheDirectory}/building-${process.pid}-${randomUUID()}`;
  await rename(directory, removing).catch(() => undefined);
  await rm(removing, { recursive: true, force: true });
}

/** One that somebody else has just removed is as good as used. */
async function lastUsedMs(directory: string): Promise<number> {
  return stat(directory).then(
    ({ mtimeMs }) => mtimeMs,
    () => Date.now(),
  );
}

/** Also what a build that was killed left behind. */
async function removeUnused(cacheDirectory: string): Promise<void> {
  for (const name of await readdir(cacheDirectory)) {
    const directory = `${cacheDirectory}/${name}`;
    const pid = /^building-(\d+)-/.exec(name)?.[1];
    const isUnused =
      pid === undefined
        ? (await lastUsedMs(directory)) < Date.now() - UNUSED_MS
        : !existsSync(`/proc/${pid}`);
    if (isUnused) await removeAtOnce(directory, cacheDirectory);
  }
}
