/**
 * A command of a fixed script as it will be run: the words of its line, with values in the places of variables. For whoever
 * shows it before; a variable that has no value and stands without quotes is no word, as for a shell.
 * @param line a program and its arguments, as the script has them; only `"` quotes
 * @param values of variables, as they stand there: `$1`, `${1%/*}`
 */
export function fillIn(line: string, values: Readonly<Record<string, string>>): string[] {
  const words = line.matchAll(/"([^"]*)"|([^\s"]+)/g);
  return [...words].flatMap(([, quoted, bare = '']) => {
    // A value is no text of the script: what looks like a variable in it is none.
    const word = (quoted ?? bare).replaceAll(VARIABLE, (variable) => values[variable] ?? variable);
    return word === '' && quoted === undefined ? [] : [word];
  });
}

const VARIABLE = /\$\w+|\$\{[^}]*\}/g;
