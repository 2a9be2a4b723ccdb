import type { CST } from 'yaml';

/** Deeper than any recipe: the deepest value that the schema knows has ten levels. */
const MAX_DEPTH = 64;

/**
 * Where the text nests too deep, if it does. Looked at before nodes are made, because that recurses: text that nests
 * tens of thousands of levels deep ends the whole process, not with an exception.
 */
export function findTooDeep(documents: readonly CST.Token[]): number | undefined {
  const stack: { readonly token: CST.Token; readonly depth: number }[] = documents.map((token) => ({
    token,
    depth: 0,
  }));
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { token, depth } = next;
    if (depth > MAX_DEPTH) return token.offset;
    if (token.type === 'document') {
      if (token.value) stack.push({ token: token.value, depth });
    } else if ('items' in token) {
      for (const item of token.items) {
        if (item.key) stack.push({ token: item.key, depth: depth + 1 });
        if (item.value) stack.push({ token: item.value, depth: depth + 1 });
      }
    }
  }
  return undefined;
}
