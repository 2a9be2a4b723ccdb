import { inspectTemplate } from '../template/gate.ts';
import { kindAt } from './fields.ts';
import { type Finding, MAX_DIAGNOSTICS } from './finding.ts';
import { describePath, forEachScalar, type Path } from './path.ts';
import type { Recipe } from './recipe.generated.ts';
import { didYouMean } from './suggest.ts';
import { checkValue } from './values.ts';

/** Below these, text is never a template. */
const PLAIN = new Set(['inputs', 'name', 'description', 'version']);

/** Whether a scalar of a recipe is rendered as a template. */
export function isTemplateField(path: Path): boolean {
  return !PLAIN.has(String(path[0])) && kindAt(path) !== undefined && path.at(-1) !== 'name';
}

/** Mistakes in templates, plain values that are not what their place needs, and inputs that nothing reads. */
export function valueFindings(recipe: Recipe): readonly Finding[] {
  const inputs = Object.keys(recipe.inputs ?? {});
  const used = new Set<string>();
  const findings = defaultFindings(recipe);
  let errors = findings.length;
  forEachScalar(recipe, (path, scalar) => {
    // Suggestions take time, and nobody sees more of them.
    if (errors >= MAX_DIAGNOSTICS) return;
    const found = scalarFindings(path, scalar, inputs, used);
    errors += found.filter(({ severity }) => severity !== 'warning').length;
    findings.push(...found);
  });
  const unused = inputs.filter((name) => !used.has(name));
  return [...findings, ...unused.map(unusedFinding)];
}

function scalarFindings(
  path: Path,
  scalar: unknown,
  inputs: readonly string[],
  used: Set<string>,
): readonly Finding[] {
  if (typeof scalar !== 'string' || !isTemplateField(path)) return plainFindings(path, scalar);
  const { inputs: read, problems, form } = inspectTemplate(scalar, inputs);
  for (const name of read) used.add(name);
  if (form === 'text') return plainFindings(path, scalar);
  return problems.map(({ message, hint: advice, unknown, offset, length }): Finding => {
    const hint = unknown ? didYouMean(unknown.name, unknown.known, unknown.noun) : advice;
    const part = { template: scalar, offset, length };
    return { path, at: 'value', code: 'template', message, part, ...(hint === undefined ? {} : { hint }) };
  });
}

function defaultFindings({ inputs = {} }: Recipe): Finding[] {
  return Object.entries(inputs).flatMap(([name, { type, default: value }]): Finding[] => {
    const problem = value === undefined ? undefined : checkValue(`The default of \`${name}\``, type, value);
    if (!problem) return [];
    return [{ path: ['inputs', name, 'default'], at: 'value', code: 'wrong-value', ...problem }];
  });
}

function unusedFinding(name: string): Finding {
  return {
    path: ['inputs', name],
    at: 'key',
    code: 'unused-input',
    severity: 'warning',
    message: `Nothing reads the input \`${name}\``,
    hint: `Read it as \`{{ inputs.${name} }}\`, or take it out.`,
  };
}

function plainFindings(path: Path, scalar: unknown): Finding[] {
  if (typeof scalar === 'string' && scalar.includes('{{') && path.at(-1) !== 'description') {
    return [{ path, at: 'value', code: 'template', severity: 'warning', ...NOT_RENDERED }];
  }
  const kind = path[0] === 'inputs' ? undefined : kindAt(path);
  const problem = kind && checkValue(describePath(path), kind, scalar);
  return problem ? [{ path, at: 'value', code: 'wrong-value', ...problem }] : [];
}

const NOT_RENDERED: Pick<Finding, 'message' | 'hint'> = {
  message: 'This is not rendered as a template: the braces stay as they are',
  hint: 'Names, descriptions and defaults are plain text.',
};
