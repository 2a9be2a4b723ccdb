import { inspectTemplate } from '../template/gate.ts';
import { kindAt } from './fields.ts';
import type { Finding, ValidRecipe } from './finding.ts';
import { describePath, forEachScalar, type Path } from './path.ts';
import { didYouMean } from './suggest.ts';
import { checkValue } from './values.ts';

/** Below these, text is never a template. */
const PLAIN = new Set(['inputs', 'name', 'description', 'version']);

/** Whether a scalar of a recipe is rendered as a template. */
export function isTemplateField(path: Path): boolean {
  return !PLAIN.has(String(path[0])) && kindAt(path) !== undefined && path.at(-1) !== 'name';
}

/** Mistakes in templates, and plain values that are not what their place needs. */
export function valueFindings({ data: recipe }: ValidRecipe): readonly Finding[] {
  const findings: Finding[] = [];
  const inputs = Object.keys(recipe.inputs ?? {});
  const used = new Set<string>();
  forEachScalar(recipe, (path, scalar) => {
    if (isTemplateField(path) && typeof scalar === 'string') {
      const result = inspectTemplate(scalar, inputs);
      for (const name of result.inputs) used.add(name);
      findings.push(
        ...result.problems.map((problem): Finding => {
          const { unknown } = problem;
          const hint = unknown ? didYouMean(unknown.name, unknown.known, unknown.noun) : problem.hint;
          return {
            path,
            at: 'value',
            code: 'template',
            message: problem.message,
            ...(hint === undefined ? {} : { hint }),
            part: { template: scalar, offset: problem.offset, length: problem.length },
          };
        }),
      );
      if (result.form !== 'text' || result.problems.length > 0) return;
    }
    findings.push(...plainFindings(path, scalar));
  });
  for (const name of inputs.filter((input) => !used.has(input))) {
    findings.push({
      path: ['inputs', name],
      at: 'key',
      code: 'unused-input',
      severity: 'warning',
      message: `Nothing reads the input \`${name}\``,
      hint: `Read it as \`{{ inputs.${name} }}\`, or take it out.`,
    });
  }
  for (const [name, input] of Object.entries(recipe.inputs ?? {})) {
    if (input.default === undefined) continue;
    const problem = checkValue(`The default of \`${name}\``, input.type, input.default);
    if (problem)
      findings.push({ path: ['inputs', name, 'default'], at: 'value', code: 'wrong-value', ...problem });
  }
  return findings;
}

function plainFindings(path: Path, scalar: unknown): Finding[] {
  const kind = path[0] === 'inputs' ? undefined : kindAt(path);
  const problem = kind && checkValue(describePath(path), kind, scalar);
  return problem ? [{ path, at: 'value', code: 'wrong-value', ...problem }] : [];
}
