/** What stands in the place of a secret. */
const MASK = '***';

/** Bytes of a secret that must be seen in base64 for it to be one: fewer are likely to be something else. */
const MIN_BASE64 = 6;

/** Hides the values of secrets in whatever is printed or written down, whoever put them there. */
export class Redactor {
  readonly #forms: readonly string[];

  constructor(secrets: Iterable<string> = []) {
    const forms = new Set([...secrets].flatMap(formsOf));
    // The longest first: what holds another form is hidden whole.
    this.#forms = [...forms]
      .filter((form) => form !== '')
      .toSorted((one, other) => other.length - one.length);
  }

  text(text: string): string {
    return this.#forms.reduce((rest, form) => rest.replaceAll(form, MASK), text);
  }

  /** A copy of plain data with every text in it redacted. */
  data<T>(value: T): T {
    if (this.#forms.length === 0) return value;
    return this.#copy(value) as T;
  }

  #copy(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map((each) => this.#copy(each));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [this.text(key), this.#copy(each)]));
  }
}

/** As it is, each of its lines, as URLs and JSON have it, and in base64, wherever in a longer text it stood. */
function formsOf(secret: string): string[] {
  const lines = secret.split('\n').filter((line) => line.length >= 4);
  return [...new Set([secret, ...lines])].flatMap((text) => [
    text,
    encodeURIComponent(text),
    encodeURIComponent(text).replaceAll('%20', '+'),
    new URLSearchParams({ '': text }).toString().slice(1),
    JSON.stringify(text).slice(1, -1),
    ...base64Of(text),
  ]);
}

/** base64 of a text at each of the three places in a group of three bytes, without the characters that neighbours share. */
function base64Of(text: string): string[] {
  const bytes = Buffer.from(text);
  return [0, 1, 2].flatMap((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const from = Math.ceil((before * 8) / 6);
    const isShared = (before + bytes.length) % 3 !== 0;
    const core = whole.slice(from, isShared ? -1 : undefined);
    if (core.length < MIN_BASE64) return [];
    return [core, core.replaceAll('+', '-').replaceAll('/', '_')];
  });
}
