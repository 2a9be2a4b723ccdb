// What is needed of the tree that the parser of nunjucks 3.2.4 makes.
import parser from 'nunjucks/src/parser.js';

/** A node of nunjucks' tree. Lines and columns count from 0. */
export interface AstNode {
  readonly typename: string;
  readonly lineno: number;
  readonly colno: number;
}

export interface ListNode extends AstNode {
  readonly children: readonly AstNode[];
}

export interface LiteralNode extends AstNode {
  readonly value: unknown;
}

export interface LookupNode extends AstNode {
  readonly target: AstNode | null;
  readonly val: AstNode | null;
}

export interface FilterNode extends AstNode {
  readonly name: LiteralNode;
  readonly args: ListNode;
}

/** `and`, `or`, `in`. */
export interface BinaryNode extends AstNode {
  readonly left: AstNode;
  readonly right: AstNode;
}

/** `not`. */
export interface UnaryNode extends AstNode {
  readonly target: AstNode;
}

/** `a == b`, and chains of it. */
export interface CompareNode extends AstNode {
  readonly expr: AstNode;
  readonly ops: readonly (AstNode & { readonly type: string; readonly expr: AstNode })[];
}

/** `body if cond else else_`. */
export interface InlineIfNode extends AstNode {
  readonly cond: AstNode;
  readonly body: AstNode;
  readonly else_: AstNode | null;
}

/** What the parser throws; lines and columns count from 1. */
export interface ParseFailure {
  readonly message: string;
  readonly lineno: number | undefined;
  readonly colno: number | undefined;
}

/**
 * Statements and comments begin with characters that no recipe can hold, so `{%` and `{#` are plain text to nunjucks:
 * shells use the latter (`${#list}`), and the gate refuses the former by name.
 */
const TAGS = {
  blockStart: '\0%',
  blockEnd: '%\0',
  commentStart: '\0#',
  commentEnd: '#\0',
} as const;

/** Trees that are kept: a recipe has the same few templates in many places, and each is looked at more than once. */
const MAX_KEPT = 4096;
const kept = new Map<string, ListNode>();

/** @throws a ParseFailure; a RangeError for text that nests too deep */
export function parseTemplate(template: string): ListNode {
  const known = kept.get(template);
  if (known) return known;
  const tree = parser.parse(template, [], { tags: TAGS }) as ListNode;
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(template, tree);
  return tree;
}
