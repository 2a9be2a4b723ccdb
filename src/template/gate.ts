import { FILTERS, type TemplateType } from './filters.ts';
import {
  type AstNode,
  type BinaryNode,
  type CompareNode,
  type FilterNode,
  type InlineIfNode,
  type ListNode,
  type LiteralNode,
  type LookupNode,
  type ParseFailure,
  parseTemplate,
  type UnaryNode,
} from './nunjucks-ast.ts';
import { RESULT_PARTS, type TemplateScope } from './scope.ts';

/** Why a template is refused, and which part of it. */
export interface TemplateProblem {
  readonly offset: number;
  readonly length: number;
  readonly message: string;
  readonly hint?: string;
  /** A name that is not known, and the ones that are: for a suggestion. */
  readonly unknown?: { readonly name: string; readonly known: readonly string[]; readonly noun: string };
}

export interface GateResult {
  readonly problems: readonly TemplateProblem[];
  /** The inputs that it reads, secrets among them. */
  readonly inputs: readonly string[];
  /** The results of earlier steps that it reads. */
  readonly results: readonly string[];
  /** What it yields. */
  readonly type: TemplateType;
  /** `expression` is exactly one pair of braces and nothing else: its value keeps its type. */
  readonly form: 'text' | 'expression' | 'mixed';
  /** Texts and expressions, one after the other. */
  readonly parts: readonly AstNode[];
}

/** Characters of one template: parsing is not linear. */
const MAX_TEMPLATE = 16_384;

/** nunjucks takes the square of it for what `{{-` cuts off. */
const MAX_WHITE_SPACE = 256;
const LONG_WHITE_SPACE = new RegExp(`\\s{${MAX_WHITE_SPACE + 1}}`);

/** What people see of a recipe are its first mistakes. */
const MAX_PROBLEMS = 20;

/** Filters and parentheses around each other: they are looked at by recursion. */
const MAX_DEPTH = 32;
const TOO_DEEP = 'The template nests too deep';

const NOTHING_ELSE = 'A template can look up nothing but inputs and results, and an input has no parts';
const NO_PARTS = 'An item has no parts';
const WHICH_PART = 'A template reads one part of a result';
const PART_HINT = `For example \`{{ results.name.stdout }}\`. The parts are ${Object.keys(RESULT_PARTS).join(', ')}.`;
const USUAL = 'A template is `{{ inputs.name }}`, with filters: `{{ inputs.address | host }}`.';

/** What messages call a type. */
const WORDS: Readonly<Record<TemplateType, string>> = {
  text: 'a text',
  number: 'a number',
  bool: 'true or false',
  list: 'a list',
};
const TYPES = Object.keys(WORDS) as readonly TemplateType[];

/** Names that lead from any value to the Function constructor. */
const HOSTILE = new Set(['constructor', '__proto__', 'prototype']);

/**
 * Looks at a template without running it. Allowed are what the scope has, literals, comparisons, `and`, `or`, `not`, `in`,
 * `a if b else c`, parentheses and the filters of ours; every other node of nunjucks' tree is refused, so what nunjucks
 * could do beyond that does not matter. Values of different types are never compared: JavaScript would convert them.
 */
export function inspectTemplate(template: string, scope: TemplateScope): GateResult {
  if (!template.includes('{%') && !template.includes('{{')) return textOf(template);
  const gate = new Gate(template, scope);
  let tree: ListNode | undefined;
  // nunjucks is told that statements and comments begin with it.
  const nul = template.indexOf('\0');
  if (nul !== -1) {
    gate.refuse(nul, 'A template cannot hold a NUL character', { length: 1 });
  } else if (template.length > MAX_TEMPLATE) {
    gate.refuse(0, `A template has at most ${MAX_TEMPLATE} characters`, {
      hint: 'Put a long script into a file.',
    });
  } else if (template.includes('{{-') && LONG_WHITE_SPACE.test(template)) {
    gate.refuse(template.indexOf('{{-'), `\`{{-\` cannot cut off more than ${MAX_WHITE_SPACE} characters`, {
      length: 3,
    });
  } else {
    tree = gate.parse();
  }
  const visited = tree ? gate.visitRoot(tree) : ({ form: 'mixed', type: 'text', parts: [] } as const);
  return { problems: gate.problems, inputs: [...gate.inputs], results: [...gate.results], ...visited };
}

function textOf(template: string): GateResult {
  const parts = [{ typename: 'TemplateData', lineno: 0, colno: 0, value: template } as AstNode];
  return { problems: [], inputs: [], results: [], type: 'text', form: 'text', parts };
}

class Gate {
  readonly problems: TemplateProblem[] = [];
  readonly inputs = new Set<string>();
  readonly results = new Set<string>();
  readonly #template: string;
  readonly #scope: TemplateScope;

  constructor(template: string, scope: TemplateScope) {
    this.#template = template;
    this.#scope = scope;
  }

  refuse(offset: number, message: string, more: Partial<TemplateProblem> = {}): void {
    if (this.problems.length >= MAX_PROBLEMS) return;
    this.problems.push({ offset, length: 2, message, ...more });
  }

  parse(): ListNode | undefined {
    try {
      return parseTemplate(this.#template);
    } catch (error) {
      if (error instanceof RangeError) this.refuse(this.#template.indexOf('{{'), TOO_DEEP);
      else this.#refuseSyntax(error as ParseFailure);
      return undefined;
    }
  }

  #refuseSyntax({ message, lineno, colno }: ParseFailure): void {
    const hint = 'A template is `{{ inputs.name }}`. For the braces themselves, write `{{ "{{" }}`.';
    // Without a position the text ended inside of the braces.
    if (lineno === undefined || colno === undefined) {
      this.refuse(Math.max(0, this.#template.lastIndexOf('{{')), 'The `{{` that opens here is never closed', {
        hint,
      });
      return;
    }
    const words = message.includes('expected variable end')
      ? '`}}` is expected here'
      : 'This is not a template';
    this.refuse(this.#offset({ lineno: lineno - 1, colno: colno - 1 }), words, { length: 1, hint });
  }

  visitRoot(root: ListNode): Pick<GateResult, 'form' | 'type' | 'parts'> {
    const parts = root.children.flatMap((output) =>
      output.typename === 'Output' ? (output as ListNode).children : [output],
    );
    const isWhole = this.#template.startsWith('{{') && this.#template.endsWith('}}');
    const isExpression = isWhole && parts.length === 1 && parts[0]?.typename !== 'TemplateData';
    let last = 0;
    let type: TemplateType | undefined;
    for (const part of parts) {
      if (part.typename === 'TemplateData') {
        last = this.#visitText(part as LiteralNode, last);
        continue;
      }
      type = this.#visit(part);
      if (type === 'list' && !isExpression) {
        const hint = "Make one text of it: `{{ inputs.name | join(' ') }}`.";
        this.refuse(this.#offset(part), 'A list cannot stand inside of a text', { hint });
      }
    }
    return isExpression
      ? { form: 'expression', type: type ?? 'text', parts }
      : { form: 'mixed', type: 'text', parts };
  }

  #visitText(part: LiteralNode, from: number): number {
    const text = String(part.value);
    const inside = text.indexOf('{%');
    if (inside === -1) return from;
    const offset = this.#template.indexOf('{%', from);
    this.refuse(offset, 'A template has no statements: `{% … %}` is not for recipes', {
      hint: 'Use `{{ inputs.name }}`. For the characters themselves, write `{{ "{%" }}`.',
    });
    return offset + 2;
  }

  /** @returns what the node yields; undefined for one that is refused, of which nothing more can be said */
  #visit(node: AstNode, depth = 0): TemplateType | undefined {
    if (depth > MAX_DEPTH) return this.#refuseNode(node, TOO_DEEP);
    switch (node.typename) {
      case 'Literal':
        return this.#visitLiteral(node as LiteralNode);
      case 'Group':
        return this.#visitGroup(node as ListNode, depth + 1);
      case 'Symbol':
        return this.#visitRoots(node as LiteralNode);
      case 'LookupVal':
        return this.#visitLookup(node as LookupNode);
      case 'Filter':
        return this.#visitFilter(node as FilterNode, depth + 1);
      case 'Compare':
        return this.#visitCompare(node as CompareNode, depth + 1);
      case 'And':
      case 'Or':
        this.#require(['bool'], (node as BinaryNode).left, depth + 1);
        return this.#require(['bool'], (node as BinaryNode).right, depth + 1);
      case 'Not':
        return this.#require(['bool'], (node as UnaryNode).target, depth + 1);
      case 'In':
        return this.#visitIn(node as BinaryNode, depth + 1);
      case 'InlineIf':
        return this.#visitInlineIf(node as InlineIfNode, depth + 1);
      case 'FunCall':
        return this.#refuseNode(node, 'A template cannot call anything');
      default:
        return this.#refuseNode(node, 'A template cannot compute: it holds values, comparisons and filters');
    }
  }

  #visitLiteral(node: LiteralNode): TemplateType | undefined {
    switch (typeof node.value) {
      case 'string':
        return 'text';
      case 'number':
        return 'number';
      case 'boolean':
        return 'bool';
      default:
        return this.#refuseNode(node, 'A template has text, numbers, true and false as literals');
    }
  }

  #visitGroup(node: ListNode, depth: number): TemplateType | undefined {
    const [only, ...others] = node.children;
    if (only === undefined || others.length > 0) return this.#refuseNode(node, 'Parentheses hold one value');
    return this.#visit(only, depth);
  }

  #visitCompare({ expr, ops }: CompareNode, depth: number): TemplateType | undefined {
    const [, second] = ops;
    if (second) return this.#refuseNode(second, 'Comparisons cannot be chained', 'Join them with `and`.');
    const left = this.#visit(expr, depth);
    for (const { type: operator, expr: other } of ops) {
      const right = this.#visit(other, depth);
      if (left === undefined || right === undefined) continue;
      const isOrder = operator.includes('<') || operator.includes('>');
      if (left === 'list' || right === 'list') {
        this.#refuseNode(other, 'A list cannot be compared', "Ask what is in it: `'x' in inputs.name`.");
      } else if (left !== right) {
        const hint = 'Both sides must be of one type: a number has no quotes, a text has.';
        this.#refuseNode(other, `This compares ${WORDS[left]} with ${WORDS[right]}`, hint);
      } else if (isOrder && left !== 'number') {
        this.#refuseNode(other, `Only numbers have an order, and this is ${WORDS[left]}`);
      }
    }
    return 'bool';
  }

  #visitIn({ left, right }: BinaryNode, depth: number): TemplateType {
    this.#require(['text'], left, depth);
    if (right.typename !== 'Array') {
      this.#require(['list'], right, depth);
      return 'bool';
    }
    for (const item of (right as ListNode).children) this.#require(['text'], item, depth);
    return 'bool';
  }

  #visitInlineIf(node: InlineIfNode, depth: number): TemplateType | undefined {
    const { cond, body, else_: other } = node;
    this.#require(['bool'], cond, depth);
    const type = this.#visit(body, depth);
    if (other === null) {
      return this.#refuseNode(node, 'An `if` inside of a template needs an `else`');
    }
    return this.#require(type ? [type] : TYPES, other, depth);
  }

  /** Visits a node that must yield one of some types. */
  #require(types: readonly TemplateType[], node: AstNode, depth: number): TemplateType | undefined {
    const type = this.#visit(node, depth);
    if (type === undefined || types.includes(type)) return type;
    const expected = types.map((each) => WORDS[each]).join(' or ');
    return this.#refuseNode(node, `This must be ${expected}, and is ${WORDS[type]}`);
  }

  /** A name that stands alone. */
  #visitRoots(node: LiteralNode): TemplateType | undefined {
    const name = String(node.value);
    if (name === 'item' && this.#scope.hasItem) return 'text';
    if (name === 'inputs' || name === 'results') {
      const hint = `Name one: \`{{ ${name}.name${name === 'results' ? '.stdout' : ''} }}\`.`;
      this.refuse(this.#offset(node), `A template cannot hold all ${name}`, { length: name.length, hint });
      return undefined;
    }
    if (name === 'item') {
      const hint = 'The item is that of `forEach`, which is not here.';
      this.refuse(this.#offset(node), 'There is no `item` here', { length: name.length, hint });
      return undefined;
    }
    return this.#unknown(node, name, {
      message: `There is no variable \`${name}\` in templates`,
      noun: 'variables',
    });
  }

  #visitLookup(node: LookupNode): TemplateType | undefined {
    // `inputs[ ]`, `] . a`: nunjucks has no node for what is not there.
    if (node.val === null) return this.#refuseNode(node, 'The name of an input must be written out');
    if (node.target === null) return this.#refuseNode(node, NOTHING_ELSE);
    const key = node.val as LiteralNode;
    const name = key.typename === 'Literal' && typeof key.value === 'string' ? key.value : undefined;
    if (name !== undefined && HOSTILE.has(name)) {
      return this.#refuseNode(key, `A template cannot read \`${name}\``);
    }
    const root = node.target as LiteralNode;
    if (root.typename === 'LookupVal') return this.#visitPart(root as AstNode as LookupNode, key, name);
    if (root.typename !== 'Symbol') return this.#refuseNode(node, NOTHING_ELSE);
    if (root.value === 'results') return this.#refuseNode(node, WHICH_PART, PART_HINT);
    if (root.value === 'item' && this.#scope.hasItem) return this.#refuseNode(node, NO_PARTS);
    if (root.value !== 'inputs') return this.#visitRoots(root);
    if (name === undefined) return this.#refuseNode(node, 'The name of an input must be written out');
    this.inputs.add(name);
    const type = this.#scope.inputs.get(name);
    if (type !== undefined) return type;
    return this.#unknown(key, name, { message: `There is no input \`${name}\``, noun: 'inputs' });
  }

  /** `results.NAME.PART`. */
  #visitPart(target: LookupNode, key: LiteralNode, part: string | undefined): TemplateType | undefined {
    const root = target.target as LiteralNode | null;
    if (root?.typename !== 'Symbol' || root.value !== 'results')
      return this.#refuseNode(target, NOTHING_ELSE);
    const named = target.val as LiteralNode | null;
    const name = named?.typename === 'Literal' ? String(named.value) : undefined;
    if (name === undefined || part === undefined) return this.#refuseNode(target, WHICH_PART, PART_HINT);
    this.results.add(name);
    if (!this.#scope.results.has(name)) {
      const message = `No step before this one registers \`${name}\``;
      return this.#unknown(named as AstNode, name, { message, noun: 'results' });
    }
    if (Object.hasOwn(RESULT_PARTS, part)) return RESULT_PARTS[part as keyof typeof RESULT_PARTS];
    return this.#unknown(key, part, { message: `A result has no \`${part}\``, noun: 'parts' });
  }

  #visitFilter(node: FilterNode, depth: number): TemplateType | undefined {
    const name = String(node.name.value);
    const [value, ...rest] = node.args.children;
    const type = value && this.#visit(value, depth);
    const filter = Object.hasOwn(FILTERS, name) ? FILTERS[name] : undefined;
    if (!filter) {
      return this.#unknown(node.name, name, { message: `There is no filter \`${name}\``, noun: 'filters' });
    }
    if (type !== undefined && (type === 'list') !== (filter.takes === 'list')) {
      const takes = filter.takes === 'list' ? 'a list' : 'one value';
      const hint =
        type === 'list'
          ? "Take one of its items, `first` or `last`, or make one text of it: `join(' ')`."
          : 'A list is an input of the type `list`, or the `lines` of a text.';
      return this.#refuseNode(
        node,
        `The filter \`${name}\` takes ${takes}, and this is ${WORDS[type]}`,
        hint,
      );
    }
    const isText = rest[0]?.typename === 'Literal' && typeof (rest[0] as LiteralNode).value === 'string';
    if (filter.hasArgument === true && (rest.length !== 1 || !isText)) {
      return this.#refuseNode(node, `The filter \`${name}\` takes one text: \`${name}(',')\``);
    }
    if (filter.hasArgument !== true && rest.length > 0) {
      return this.#refuseNode(node, `The filter \`${name}\` takes no arguments`);
    }
    return filter.yields;
  }

  #unknown(
    node: AstNode,
    name: string,
    { message, noun }: { message: string; noun: 'inputs' | 'results' | 'parts' | 'filters' | 'variables' },
  ): undefined {
    const inputs = [...this.#scope.inputs.keys()];
    const known = {
      inputs,
      results: [...this.#scope.results],
      parts: Object.keys(RESULT_PARTS),
      filters: Object.keys(FILTERS),
      variables: inputs.map((input) => `inputs.${input}`),
    }[noun];
    // `source` for `inputs.source` is the likely slip.
    const meant = noun === 'variables' && inputs.includes(name) ? `inputs.${name}` : name;
    this.refuse(this.#offset(node), message, { length: name.length, unknown: { name: meant, known, noun } });
  }

  #refuseNode(node: AstNode, message: string, hint: string = USUAL): undefined {
    this.refuse(this.#offset(node), message, { hint });
  }

  #offset({ lineno, colno }: { readonly lineno: number; readonly colno: number }): number {
    let start = 0;
    for (let line = 0; line < lineno; line++) start = this.#template.indexOf('\n', start) + 1;
    return Math.min(start + colno, this.#template.length - 1);
  }
}
