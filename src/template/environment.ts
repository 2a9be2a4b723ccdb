import nunjucks from 'nunjucks';
import { FILTERS, type TemplateValue } from './filters.ts';
import { TAGS } from './nunjucks-ast.ts';

/**
 * A nunjucks without loaders, so it can read no file, and with our filters. Autoescape is for HTML; quoting is not the
 * job of templates, because arguments never pass through a shell.
 */
export function createEnvironment(): nunjucks.Environment {
  const environment = new nunjucks.Environment(null, {
    autoescape: false,
    throwOnUndefined: true,
    tags: TAGS,
  });
  for (const [name, { apply }] of Object.entries(FILTERS)) environment.addFilter(name, apply);
  return environment;
}

/**
 * The typed value of one expression: nunjucks itself yields text only, so a filter takes the value on its way.
 * @param expression what stands between the braces; it must have passed the gate
 */
export function evaluate(expression: string, context: object): TemplateValue {
  const environment = createEnvironment();
  let value: TemplateValue | undefined;
  environment.addFilter(CAPTURE, (captured: TemplateValue) => {
    value = captured;
    return '';
  });
  environment.renderString(`{{ (${expression}) | ${CAPTURE} }}`, context);
  if (value === undefined) throw new Error(`the template expression has no value: ${expression}`);
  return value;
}

/** Not a filter of the gate's list, so no recipe can name it. */
const CAPTURE = 'criuFlowCapture';
