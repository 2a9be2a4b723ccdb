import { FILTERS } from './filters.ts';
import {
  type AstNode,
  type FilterNode,
  type ListNode,
  type LiteralNode,
  type LookupNode,
  type ParseFailure,
  parseTemplate,
} from './nunjucks-ast.ts';

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
  /** The inputs that it reads. */
  readonly inputs: readonly string[];
  /** `expression` is exactly one pair of braces and nothing else: its value keeps its type. */
  readonly form: 'text' | 'expression' | 'mixed';
}

/** Characters of one template: parsing is not linear. */
const MAX_TEMPLATE = 16_384;

/** Filters and parentheses around each other: nunjucks compiles them by recursion. */
const MAX_DEPTH = 32;
const TOO_DEEP = 'The template nests too deep';

/** Names that lead from any value to the Function constructor. */
const HOSTILE = new Set(['constructor', '__proto__', 'prototype']);

/**
 * Looks at a template without running it. Allowed are `{{ inputs.name }}`, literals, parentheses and the filters of
 * ours; every other node of nunjucks' tree is refused, so what nunjucks could do beyond that does not matter.
 */
export function inspectTemplate(template: string, knownInputs: readonly string[]): GateResult {
  if (!template.includes('{%') && !template.includes('{{')) return { problems: [], inputs: [], form: 'text' };
  const gate = new Gate(template, knownInputs);
  let form: GateResult['form'] = 'mixed';
  // nunjucks is told that statements and comments begin with it.
  const nul = template.indexOf('\0');
  if (nul !== -1) {
    gate.refuse(nul, 'A template cannot hold a NUL character', { length: 1 });
  } else if (template.length > MAX_TEMPLATE) {
    gate.refuse(0, `A template has at most ${MAX_TEMPLATE} characters`, {
      hint: 'Put a long script into a file.',
    });
  } else {
    const tree = gate.parse();
    if (tree) form = gate.visitRoot(tree);
  }
  return { problems: gate.problems, inputs: [...gate.inputs], form };
}

class Gate {
  readonly problems: TemplateProblem[] = [];
  readonly inputs = new Set<string>();
  readonly #template: string;
  readonly #known: readonly string[];

  constructor(template: string, known: readonly string[]) {
    this.#template = template;
    this.#known = known;
  }

  refuse(offset: number, message: string, more: Partial<TemplateProblem> = {}): void {
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

  visitRoot(root: ListNode): GateResult['form'] {
    const parts = root.children.flatMap((output) =>
      output.typename === 'Output' ? (output as ListNode).children : [output],
    );
    let last = 0;
    for (const part of parts) {
      if (part.typename === 'TemplateData') last = this.#visitText(part as LiteralNode, last);
      else this.#visit(part);
    }
    const isWhole = this.#template.startsWith('{{') && this.#template.endsWith('}}');
    return isWhole && parts.length === 1 && parts[0]?.typename !== 'TemplateData' ? 'expression' : 'mixed';
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

  #visit(node: AstNode, depth = 0): void {
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
      case 'FunCall':
        return this.#refuseNode(node, 'A template cannot call anything');
      default:
        return this.#refuseNode(node, 'A template cannot compute: it holds one value and its filters');
    }
  }

  #visitLiteral(node: LiteralNode): void {
    if (typeof node.value !== 'string' && typeof node.value !== 'number' && typeof node.value !== 'boolean') {
      this.#refuseNode(node, 'A template has text, numbers, true and false as literals');
    }
  }

  #visitGroup(node: ListNode, depth: number): void {
    const [only, ...others] = node.children;
    if (only === undefined || others.length > 0) this.#refuseNode(node, 'Parentheses hold one value');
    else this.#visit(only, depth);
  }

  /** A name that stands alone. */
  #visitRoots(node: LiteralNode): void {
    const name = String(node.value);
    if (name === 'inputs') {
      this.refuse(this.#offset(node), 'A template cannot hold all inputs', {
        length: name.length,
        hint: 'Name one: `{{ inputs.name }}`.',
      });
      return;
    }
    this.#unknown(node, name, {
      message: `There is no variable \`${name}\` in templates`,
      noun: 'variables',
    });
  }

  #visitLookup(node: LookupNode): void {
    // `inputs[ ]`, `] . a`: nunjucks has no node for what is not there.
    if (node.val === null) return this.#refuseNode(node, 'The name of an input must be written out');
    if (node.target === null) return this.#refuseNode(node, 'A template can look up nothing but inputs');
    const key = node.val as LiteralNode;
    const name = key.typename === 'Literal' && typeof key.value === 'string' ? key.value : undefined;
    if (name !== undefined && HOSTILE.has(name)) {
      return this.#refuseNode(key, `A template cannot read \`${name}\``);
    }
    const root = node.target as LiteralNode;
    if (root.typename !== 'Symbol' || root.value !== 'inputs') {
      if (root.typename === 'Symbol') return this.#visitRoots(root);
      return this.#refuseNode(node, 'A template can look up nothing but inputs, and an input has no parts');
    }
    if (name === undefined) return this.#refuseNode(node, 'The name of an input must be written out');
    this.inputs.add(name);
    if (this.#known.includes(name)) return undefined;
    return this.#unknown(key, name, { message: `There is no input \`${name}\``, noun: 'inputs' });
  }

  #visitFilter(node: FilterNode, depth: number): void {
    const name = String(node.name.value);
    const [value, ...rest] = node.args.children;
    if (value) this.#visit(value, depth);
    if (!Object.hasOwn(FILTERS, name)) {
      this.#unknown(node.name, name, { message: `There is no filter \`${name}\``, noun: 'filters' });
    } else if (rest.length > 0) {
      this.#refuseNode(node, `The filter \`${name}\` takes no arguments`);
    }
  }

  #unknown(node: AstNode, name: string, { message, noun }: { message: string; noun: string }): void {
    const known = noun === 'filters' ? Object.keys(FILTERS) : this.#known;
    const candidates = noun === 'variables' ? known.map((input) => `inputs.${input}`) : known;
    // `source` for `inputs.source` is the likely slip.
    const meant = noun === 'variables' && known.includes(name) ? `inputs.${name}` : name;
    this.refuse(this.#offset(node), message, {
      length: name.length,
      unknown: { name: meant, known: candidates, noun },
    });
  }

  #refuseNode(node: AstNode, message: string): void {
    this.refuse(this.#offset(node), message, {
      hint: 'A template is `{{ inputs.name }}`, with filters: `{{ inputs.address | host }}`.',
    });
  }

  #offset({ lineno, colno }: { readonly lineno: number; readonly colno: number }): number {
    let start = 0;
    for (let line = 0; line < lineno; line++) start = this.#template.indexOf('\n', start) + 1;
    return Math.min(start + colno, this.#template.length - 1);
  }
}
