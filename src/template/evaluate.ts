import { FILTERS, type TemplateValue } from './filters.ts';
import type {
  AstNode,
  BinaryNode,
  CompareNode,
  FilterNode,
  InlineIfNode,
  ListNode,
  LiteralNode,
  LookupNode,
  UnaryNode,
} from './nunjucks-ast.ts';
import type { TemplateValues } from './scope.ts';

/**
 * The value of a node that the gate let through. nunjucks would make JavaScript of the text and run it; here nothing is made
 * that could be run, and `not a == b` is `not (a == b)`.
 * @throws Error for a node that the gate does not know
 */
export function evaluate(node: AstNode, values: TemplateValues): TemplateValue {
  switch (node.typename) {
    case 'TemplateData':
    case 'Literal':
      return (node as LiteralNode).value as TemplateValue;
    case 'Symbol':
      return found((node as LiteralNode).value === 'item' ? values.item : undefined);
    case 'LookupVal':
      return lookUp(node as LookupNode, values);
    case 'Group':
      return evaluate(found((node as ListNode).children[0]), values);
    case 'Filter':
      return filter(node as FilterNode, values);
    case 'Compare':
      return compare(node as CompareNode, values);
    case 'And':
      return isTrue((node as BinaryNode).left, values) && isTrue((node as BinaryNode).right, values);
    case 'Or':
      return isTrue((node as BinaryNode).left, values) || isTrue((node as BinaryNode).right, values);
    case 'Not':
      return !isTrue((node as UnaryNode).target, values);
    case 'In':
      return isIn(node as BinaryNode, values);
    case 'InlineIf': {
      const { cond, body, else_ } = node as InlineIfNode;
      return evaluate(isTrue(cond, values) ? body : found(else_), values);
    }
    default:
      throw new Error(`the gate let ${node.typename} through`);
  }
}

function lookUp({ target, val }: LookupNode, { inputs, results }: TemplateValues): TemplateValue {
  const name = nameOf(val);
  if (target?.typename !== 'LookupVal') return found(inputs.get(name));
  const result = results?.get(nameOf((target as LookupNode).val));
  return found(Object.entries(found(result)).find(([part]) => part === name)?.[1]);
}

function nameOf(node: AstNode | null): string {
  return String((node as LiteralNode | null)?.value);
}

function filter({ name, args }: FilterNode, values: TemplateValues): TemplateValue {
  const [value, argument] = args.children;
  const { apply } = found(FILTERS[String(name.value)]);
  return apply(
    evaluate(found(value), values),
    argument === undefined ? '' : String(evaluate(argument, values)),
  );
}

function compare({ expr, ops }: CompareNode, values: TemplateValues): boolean {
  const { type: operator, expr: other } = found(ops[0]);
  const [left, right] = [evaluate(expr, values), evaluate(other, values)];
  switch (operator) {
    case '==':
    case '===':
      return left === right;
    case '!=':
    case '!==':
      return left !== right;
    case '<':
      return left < right;
    case '>':
      return left > right;
    case '<=':
      return left <= right;
    case '>=':
      return left >= right;
    default:
      throw new Error(`the gate let the operator ${operator} through`);
  }
}

function isIn({ left, right }: BinaryNode, values: TemplateValues): boolean {
  const item = evaluate(left, values);
  if (right.typename === 'Array') {
    return (right as ListNode).children.some((each) => evaluate(each, values) === item);
  }
  const items = evaluate(right, values);
  return typeof items === 'object' && items.some((each) => each === item);
}

function isTrue(node: AstNode, values: TemplateValues): boolean {
  return evaluate(node, values) === true;
}

/** What the gate saw to be there. */
function found<T>(value: T | null | undefined): T {
  if (value === undefined || value === null)
    throw new Error('the gate let a template without a value through');
  return value;
}
