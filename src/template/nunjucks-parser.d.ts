// @types/nunjucks has nothing of the parser. It is imported by itself: the rest of nunjucks would only cost time.
declare module 'nunjucks/src/parser.js' {
  const parser: {
    parse(template: string, extensions: readonly [], options: { readonly tags: object }): unknown;
  };
  export default parser;
}
