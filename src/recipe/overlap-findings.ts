import type { Finding } from './finding.ts';
import type { Recipe } from './recipe.generated.ts';

/** Hosts that are one, and files that move twice. Asked of the recipe as it is, and again when it is rendered. */
export function overlapFindings(recipe: Pick<Recipe, 'hosts' | 'files'>): readonly Finding[] {
  return [...hostFindings(recipe.hosts), ...fileFindings(recipe.files ?? [])];
}

function hostFindings({ source, destination }: Recipe['hosts']): Finding[] {
  if (source === undefined || destination === undefined) return [];
  if (withoutUser(source) !== withoutUser(destination)) return [];
  return [
    {
      path: ['hosts', 'destination'],
      at: 'value',
      code: 'hosts',
      message: `The source and the destination are the same host, ${withoutUser(destination)}`,
    },
  ];
}

function withoutUser(host: string): string {
  return host.slice(host.lastIndexOf('@') + 1).toLowerCase();
}

/** A path inside of another would be copied twice, the second time away from under the first. */
function fileFindings(files: NonNullable<Recipe['files']>): Finding[] {
  const all = new Set(files.map(({ path }) => path));
  const seen = new Set<string>();
  return files.flatMap(({ path }, index): Finding[] => {
    const parent = parentsOf(path).find((each) => all.has(each));
    const isTwice = seen.has(path);
    seen.add(path);
    if (parent === undefined && !isTwice) return [];
    const message = isTwice ? `${path} is here twice` : `${path} is part of ${parent}, which moves already`;
    return [{ path: ['files', index, 'path'], at: 'value', code: 'files', message, hint: 'Take it out.' }];
  });
}

/** `/a` and `/a/b` of `/a/b/c`. */
function parentsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(2).map((_, index) => parts.slice(0, index + 2).join('/'));
}
