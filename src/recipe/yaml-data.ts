import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import type { DiagnosticDetails } from './diagnostic.ts';
import { type Located, Locations, type Range } from './locations.ts';
import { code } from './printable.ts';
import type { SourceFile, SourceNoun } from './source-file.ts';
import { UNQUOTED_TEMPLATE } from './yaml-errors.ts';

/** A mistake that ends the reading, or one of several duplicate keys. */
export type DataProblem = DiagnosticDetails & { readonly range: Range };

export interface YamlData {
  readonly data: unknown;
  readonly locations: Locations;
  readonly problems: readonly DataProblem[];
}

/** Values in one recipe, aliases followed: far beyond a real recipe, far below what a bomb of aliases makes. */
const MAX_NODES = 100_000;

/**
 * Plain data of a document, and where each value is. Mappings become objects without a prototype, so no key can mean
 * more than itself. Differs from `Document.toJS` where that is lenient: keys must be text and unique.
 */
export function toData(source: SourceFile, document: Document.Parsed): YamlData {
  const problems: DataProblem[] = [];
  // Most recipes have no alias, and to look for the anchors takes as long as all else here.
  let targets: ReadonlyMap<Alias, Node> | undefined;
  let nodes = 0;
  const whole = convert(document.contents, []);
  return { data: whole.data, locations: new Locations(whole.located), problems };

  function convert(
    node: Node | null,
    open: readonly Node[],
    key?: Range,
    value: Range = [node?.range?.[0] ?? 0, node?.range?.[1] ?? 0],
  ): Converted {
    nodes++;
    if (nodes > MAX_NODES) {
      if (nodes === MAX_NODES + 1) problems.push(tooMuch(value, source.noun));
      return { data: null, located: { source, key, value } };
    }
    if (isAlias(node)) {
      targets ??= aliasTargets(document);
      const target = targets.get(node);
      if (target === undefined || open.includes(target)) {
        problems.push({ code: 'yaml', range: value, ...unknownAlias(node.source, target !== undefined) });
        return { data: null, located: { source, key, value } };
      }
      // What is wrong inside shows where it is used: there, a reader sees which value is meant.
      return convert(target, [...open, target], key, value);
    }
    if (!isMap(node) && !isSeq(node))
      return { data: isScalar(node) ? node.value : null, located: { source, key, value } };
    const children = new Map<string | number, Located>();
    const inside = withAnchor(open, node);
    const data = isMap(node) ? convertMap(node, inside, children) : convertList(node, inside, children);
    return { data, located: { source, key, value, children } };
  }

  function convertList(
    { items }: YAMLSeq,
    open: readonly Node[],
    children: Map<string | number, Located>,
  ): readonly unknown[] {
    return items.map((item, index) => {
      const { data, located } = convert(item as Node, open);
      children.set(index, located);
      return data;
    });
  }

  function convertMap(
    { items }: YAMLMap,
    open: readonly Node[],
    children: Map<string | number, Located>,
  ): Readonly<Record<string, unknown>> {
    const result = Object.create(null) as Record<string, unknown>;
    for (const pair of items as Pair<Node, Node | null>[]) {
      const key: Range = [pair.key.range?.[0] ?? 0, pair.key.range?.[1] ?? 0];
      if (!isScalar(pair.key) || typeof pair.key.value !== 'string') {
        problems.push({ code: 'yaml', range: key, ...wrongKey(source, key) });
        continue;
      }
      const name = pair.key.value;
      const before = children.get(name)?.key?.[0];
      if (before !== undefined) {
        const [first, second] = [before, key[0]].map((offset) => source.positionAt(offset).line);
        problems.push({ code: 'yaml', range: key, ...duplicateKey(name, first, second) });
        continue;
      }
      const { data, located } = convert(pair.value, open, key);
      children.set(name, located);
      result[name] = data;
    }
    return result;
  }
}

interface Converted {
  readonly data: unknown;
  readonly located: Located;
}

/** Only what has an anchor can be meant by an alias inside of it. */
function withAnchor(open: readonly Node[], node: Node): readonly Node[] {
  return node.anchor === undefined ? open : [...open, node];
}

/** What each alias stands for: the last anchor of its name before it. `Alias.resolve` searches anew for each. */
function aliasTargets(document: Document): ReadonlyMap<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Alias(_, alias) {
      const target = anchors.get(alias.source);
      if (target) targets.set(alias, target);
    },
    Value(_, node) {
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
  return targets;
}

function wrongKey(source: SourceFile, [start]: Range): Pick<DataProblem, 'message' | 'hint'> {
  if (source.text.startsWith('{', start) && source.text[start - 1] === '{') return UNQUOTED_TEMPLATE;
  return { message: 'A key must be text', hint: 'Quote the key.' };
}

function duplicateKey(
  name: string,
  before: number | undefined,
  line: number | undefined,
): Pick<DataProblem, 'message' | 'hint'> {
  const place = before === line ? 'earlier on this line' : `on line ${before}`;
  return {
    message: `The key ${code(name)} is here twice`,
    hint: `The first is ${place}: remove one of them.`,
  };
}

function unknownAlias(name: string, isLoop: boolean): Pick<DataProblem, 'message' | 'hint'> {
  return isLoop
    ? {
        message: `The alias ${code(`*${name}`)} stands inside of its own anchor`,
        hint: 'Write the value out.',
      }
    : { message: `There is no anchor ${code(`&${name}`)}`, hint: 'Quote the value if it begins with `*`.' };
}

function tooMuch(range: Range, noun: SourceNoun): DataProblem {
  return {
    code: 'yaml',
    range,
    message: `The ${noun} has more than ${MAX_NODES} values when its aliases are followed`,
    hint: 'Aliases of aliases grow fast: write the values out.',
  };
}
