import { Document, isScalar, isSeq, visit, type YAMLMap } from 'yaml';

/** Data as people write it in a recipe: a list of words, and a short mapping below a key, stand on one line. */
export function toYaml(value: unknown): string {
  const document = new Document(value);
  visit(document, {
    Seq: (_, list) => {
      list.flow = list.items.every(isScalar);
    },
    Map: (_, mapping, path) => {
      // The document, the mapping and the pair that it is the value of.
      mapping.flow = path.length > 2 && !isSeq(path.at(-1)) && isShort(mapping);
    },
  });
  return document.toString({ lineWidth: 0, singleQuote: true, flowCollectionPadding: false }).trimEnd();
}

const MAX_LENGTH = 70;

function isShort({ items }: YAMLMap): boolean {
  const isPlain = items.every(
    ({ value }) => isScalar(value) || (isSeq(value) && value.items.every(isScalar)),
  );
  return isPlain && JSON.stringify(items).length <= MAX_LENGTH;
}
