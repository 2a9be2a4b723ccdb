import { evaluate } from './evaluate.ts';
import { inspectTemplate } from './gate.ts';
import type { AstNode, ListNode, LiteralNode, LookupNode } from './nunjucks-ast.ts';
import type { TemplateScope, TemplateValues } from './scope.ts';

/** A part of what a template becomes: a text, or the names of what must be known first, as templates read them. */
export type KnownPart = string | { readonly reads: readonly string[] };

/**
 * What a template becomes as far as that is known. A part that reads anything else is not rendered, whatever its filters.
 * @param template that the gate has let through in that scope
 * @param values of those inputs that are known
 */
export function renderKnown(
  template: string,
  scope: TemplateScope,
  values: TemplateValues,
): readonly KnownPart[] {
  const { parts } = inspectTemplate(template, scope);
  return parts.map((part) => {
    const reads = readsOf(part).filter(
      (name) => name.startsWith('results.') || !values.inputs.has(name.slice('inputs.'.length)),
    );
    return reads.length > 0 ? { reads: [...new Set(reads)] } : String(evaluate(part, values));
  });
}

/** The inputs and results below a node: `inputs.pid`, `results.watchdog.stdout`. */
function readsOf(node: AstNode): readonly string[] {
  if (node.typename !== 'LookupVal') return childrenOf(node).flatMap(readsOf);
  const { target, val } = node as LookupNode;
  const name = String((val as LiteralNode | null)?.value);
  if (target?.typename !== 'LookupVal') return [`inputs.${name}`];
  return [`results.${String(((target as LookupNode).val as LiteralNode | null)?.value)}.${name}`];
}

function childrenOf(node: AstNode): readonly AstNode[] {
  const children = (node as ListNode).children as readonly AstNode[] | undefined;
  return children ?? Object.values(node).flat().filter(isNode);
}

function isNode(value: unknown): value is AstNode {
  return typeof value === 'object' && value !== null && 'typename' in value;
}
