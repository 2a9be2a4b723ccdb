import { OPTIONAL, ORDERS } from '../recipe/order-findings.ts';
import { type RecipeSchema, resolveNode, type SchemaNode } from '../recipe/recipe-schema.ts';
import type { Step } from '../recipe/recipe.generated.ts';
import { STEP_TYPES } from '../steps/registry.ts';
import type { StepPage } from './page.ts';
import { ownKeys, type RecipeKey, stepsOf } from './recipe-keys.ts';

/** A step type: its words are the schema's; its undo is what the engine goes by. */
export function stepPage(schema: RecipeSchema, name: string, definition: SchemaNode): StepPage {
  const uses = name as Step['uses'];
  return {
    kind: 'step',
    name,
    description: definition.description ?? '',
    stands: placesOf(schema, uses),
    undo: undoOf(uses, definition),
    keys: keysOf(schema, definition),
    example: definition.examples?.[0],
  };
}

function placesOf(schema: RecipeSchema, uses: Step['uses']): string[] {
  const lists = (['always', 'rollback'] as const).filter((name) => onlyStepOf(schema, name) === uses);
  const tops = Object.entries(ORDERS).flatMap(([kind, order]) =>
    order.some((place) => place.includes(uses))
      ? [
          `at the top of \`steps\` of a ${kind}, once, in this order: ${order.map((place) => (place.includes(uses) ? uses : (place[0] ?? ''))).join(', ')}` +
            (uses === OPTIONAL ? '; added when it is left out' : ''),
        ]
      : [],
  );
  return [
    ...(tops.length > 0 ? tops : ['at the top of `steps`']),
    ...(stepsOf(schema, 'blockItem').has(uses) ? ['in a `block`'] : []),
    ...(stepsOf(schema, 'hookStep').has(uses) ? ['in `hooks`'] : []),
    ...lists.map((name) => `in \`${name}\``),
  ];
}

/** The one type of step that a list of the recipe takes. */
function onlyStepOf(schema: RecipeSchema, list: 'always' | 'rollback'): unknown {
  const items = resolveNode(schema, schema.properties?.[list] ?? {}).items;
  return items && resolveNode(schema, items).properties?.['uses']?.const;
}

function undoOf(uses: Step['uses'], { properties = {} }: SchemaNode): string[] {
  if (uses === 'block' || uses === 'recipe') return ['what the steps in it have'];
  const { prepare, main } = STEP_TYPES[uses];
  const undo = [
    main.undo?.title,
    properties['rollback'] && 'run the commands of its `rollback`',
    prepare?.undo?.title,
    properties['irreversible'] && 'nothing, when it is `readOnly` or `irreversible`',
  ].filter((each) => each !== undefined);
  return undo.length > 0 ? undo : ['nothing: it changes nothing'];
}

/** Its own keys, and those of its `with`. */
function keysOf(schema: RecipeSchema, definition: SchemaNode): RecipeKey[] {
  return ownKeys(schema, definition).flatMap((key) => {
    if (key.name === 'uses') return [];
    if (key.name !== 'with') return key;
    const below = resolveNode(schema, definition.properties?.['with'] ?? {});
    return [key, ...ownKeys(schema, below).map((each) => ({ ...each, name: `with.${each.name}` }))];
  });
}
