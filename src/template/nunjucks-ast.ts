// @types/nunjucks leaves out `parser`. What the gate needs of it, for nunjucks 3.2.4.
import nunjucks from 'nunjucks';

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

interface NunjucksParser {
  parse(template: string, extensions: readonly [], options: { readonly tags: typeof TAGS }): ListNode;
}

/**
 * Statements and comments begin with characters that no recipe can hold, so `{%` and `{#` are plain text to nunjucks:
 * shells use the latter (`${#list}`), and the gate refuses the former by name.
 */
export const TAGS = {
  blockStart: '\0%',
  blockEnd: '%\0',
  commentStart: '\0#',
  commentEnd: '#\0',
} as const;

/** @throws a ParseFailure; a RangeError for text that nests too deep */
export function parseTemplate(template: string): ListNode {
  const { parser } = nunjucks as unknown as { readonly parser: NunjucksParser };
  return parser.parse(template, [], { tags: TAGS });
}
