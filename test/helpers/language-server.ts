import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import {
  CompletionRequest,
  ConfigurationRequest,
  createProtocolConnection,
  DidCloseTextDocumentNotification,
  DidOpenTextDocumentNotification,
  ExitNotification,
  HoverRequest,
  InitializedNotification,
  InitializeRequest,
  PublishDiagnosticsNotification,
  RegistrationRequest,
  ShutdownRequest,
  StreamMessageReader,
  StreamMessageWriter,
  type CompletionItem,
  type Diagnostic,
  type Position,
  type TextDocumentIdentifier,
} from 'vscode-languageserver-protocol/node.js';

/** Where the cursor is in a text. */
const CURSOR = '‸';

/** The yaml-language-server, which is in most editors, as an editor drives it. */
export interface LanguageServer extends AsyncDisposable {
  /** What it offers at the `‸`. */
  readonly complete: (text: string) => Promise<readonly CompletionItem[]>;
  /** What it shows of what is at the `‸`: Markdown. */
  readonly hover: (text: string) => Promise<string>;
  /**
   * What it underlines.
   * @param file that the text stands for: a schema in its first line is relative to it. @default a file of its own
   */
  readonly diagnose: (text: string, file?: string) => Promise<readonly Diagnostic[]>;
}

const require = createRequire(import.meta.url);
const program = require.resolve('yaml-language-server/bin/yaml-language-server');

/** @param schema a file; the settings say that every `*.recipe.yaml` has it, as those of VS Code do */
export async function startLanguageServer(schema: string): Promise<LanguageServer> {
  const settings = {
    schemas: { [pathToFileURL(schema).href]: '*.recipe.yaml' },
    schemaStore: { enable: false },
    ...{ validate: true, hover: true, completion: true, disableDefaultProperties: true },
  };
  const child = spawn(process.execPath, [program, '--stdio'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const connection = createProtocolConnection(
    new StreamMessageReader(child.stdout),
    new StreamMessageWriter(child.stdin),
  );
  const listeners = new Map<string, (diagnostics: readonly Diagnostic[]) => void>();
  connection.onNotification(PublishDiagnosticsNotification.type, ({ uri, diagnostics }) => {
    listeners.get(uri)?.(diagnostics);
  });
  connection.onRequest(ConfigurationRequest.type, ({ items }) =>
    items.map(({ section }) => (section === 'yaml' ? settings : {})),
  );
  connection.onRequest(RegistrationRequest.type, () => undefined);
  connection.listen();
  await connection.sendRequest(InitializeRequest.type, {
    processId: process.pid,
    rootUri: null,
    capabilities: {
      workspace: { configuration: true },
      textDocument: {
        completion: { completionItem: { snippetSupport: true, documentationFormat: ['markdown'] } },
        hover: { contentFormat: ['markdown'] },
      },
    },
  });
  await connection.sendNotification(InitializedNotification.type, {});

  let count = 0;
  const open = async (text: string, file = `/none/${++count}.recipe.yaml`): Promise<Opened> => {
    const uri = pathToFileURL(file).href;
    const diagnostics = new Promise<readonly Diagnostic[]>((resolve) => listeners.set(uri, resolve));
    await connection.sendNotification(DidOpenTextDocumentNotification.type, {
      textDocument: { uri, languageId: 'yaml', version: 1, text: text.replace(CURSOR, '') },
    });
    return {
      at: { textDocument: { uri }, position: cursorIn(text) },
      diagnostics,
      [Symbol.asyncDispose]: async () => {
        listeners.delete(uri);
        await connection.sendNotification(DidCloseTextDocumentNotification.type, { textDocument: { uri } });
      },
    };
  };
  const diagnose: LanguageServer['diagnose'] = async (text, file) => {
    await using opened = await open(text, file);
    return await opened.diagnostics;
  };

  // It reads the settings by and by. Until it has them every recipe would be a good one.
  while ((await diagnose('version: 2\n')).length === 0);

  return {
    complete: async (text) => {
      await using opened = await open(text);
      const found = await connection.sendRequest(CompletionRequest.type, opened.at);
      return Array.isArray(found) ? found : (found?.items ?? []);
    },
    hover: async (text) => {
      await using opened = await open(text);
      const found = await connection.sendRequest(HoverRequest.type, opened.at);
      const contents = found?.contents ?? '';
      return typeof contents === 'object' && 'value' in contents ? contents.value : '';
    },
    diagnose,
    [Symbol.asyncDispose]: async () => {
      await connection.sendRequest(ShutdownRequest.type);
      await connection.sendNotification(ExitNotification.type);
      await ended;
      connection.dispose();
    },
  };
}

interface Opened extends AsyncDisposable {
  readonly at: { readonly textDocument: TextDocumentIdentifier; readonly position: Position };
  /** The first that it says. */
  readonly diagnostics: Promise<readonly Diagnostic[]>;
}

function cursorIn(text: string): Position {
  const lines = text.slice(0, text.indexOf(CURSOR)).split('\n');
  return { line: lines.length - 1, character: lines.at(-1)?.length ?? 0 };
}
