import type { Finding, ValidRecipe } from './finding.ts';
import type { Step } from './recipe.generated.ts';

/** The steps that a migration is made of, in this order. `verify` and `command` may stand anywhere between. */
const ORDER: readonly Step['uses'][] = ['preflight', 'dump', 'transfer/rsync', 'restore', 'commit'];

/** Mistakes in the order of the steps, and in what belongs together. */
export function orderFindings({ data: recipe }: ValidRecipe): readonly Finding[] {
  return [...stepFindings(recipe.steps), ...hostFindings(recipe.hosts), ...fileFindings(recipe.files ?? [])];
}

function stepFindings(steps: readonly Step[]): Finding[] {
  const findings: Finding[] = [];
  let last = -1;
  const seen = new Set<string>();
  for (const [index, { uses }] of steps.entries()) {
    const place = ORDER.indexOf(uses);
    if (place === -1) continue;
    const problem = seen.has(uses)
      ? `There are two steps \`${uses}\``
      : place < last
        ? `\`${uses}\` must come before \`${ORDER[last]}\``
        : undefined;
    if (problem !== undefined) findings.push(stepFinding(index, problem));
    seen.add(uses);
    last = Math.max(last, place);
  }
  const lacking = ORDER.filter((uses) => uses !== 'commit' && !seen.has(uses));
  if (lacking.length > 0) {
    findings.push({
      path: ['steps'],
      at: 'key',
      code: 'steps',
      message: `The steps lack ${lacking.map((uses) => `\`${uses}\``).join(', ')}`,
      hint: `A migration is ${ORDER.slice(0, 4).join(', ')}, in this order, and then verify.`,
    });
  }
  return findings;
}

function stepFinding(index: number, message: string): Finding {
  return {
    path: ['steps', index, 'uses'],
    at: 'value',
    code: 'steps',
    message,
    hint: `A migration is ${ORDER.slice(0, 4).join(', ')}, in this order, and then verify.`,
  };
}

function hostFindings(hosts: ValidRecipe['data']['hosts']): Finding[] {
  if (hosts.source !== hosts.destination) return [];
  return [
    {
      path: ['hosts', 'destination'],
      at: 'value',
      code: 'hosts',
      message: 'The source and the destination are the same host',
    },
  ];
}

/** A path inside of another would be copied twice, the second time away from under the first. */
function fileFindings(files: NonNullable<ValidRecipe['data']['files']>): Finding[] {
  return files.flatMap((file, index): Finding[] => {
    const other = files.find(
      (each, position) =>
        position !== index &&
        (file.path.startsWith(`${each.path}/`) || (file.path === each.path && position < index)),
    );
    if (other === undefined) return [];
    return [
      {
        path: ['files', index, 'path'],
        at: 'value',
        code: 'files',
        message: `${file.path} is part of ${other.path}, which moves already`,
        hint: 'Take it out.',
      },
    ];
  });
}
