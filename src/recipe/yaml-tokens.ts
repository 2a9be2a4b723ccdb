import { type CST, Lexer, Parser } from 'yaml';

/** Deeper than any recipe: the deepest value that the schema knows has ten levels. */
const MAX_DEPTH = 64;

/**
 * The documents of a text as the package's parser has them, or where it nests too deep. That is seen as soon as it does: what nests
 * tens of thousands of levels deep takes a parser seconds, and ends the whole process in what makes nodes of it, which recurses.
 */
export function readTokens(text: string): {
  readonly tokens: readonly CST.Token[];
  readonly tooDeepAt?: number;
} {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    // What is open: the document, and each collection in another.
    if (parser.stack.length > MAX_DEPTH) return { tokens, tooDeepAt: parser.offset - lexeme.length };
  }
  tokens.push(...parser.end());
  return { tokens };
}
