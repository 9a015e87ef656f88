// SPDX-License-Identifier: Apache-2.0
import { type Document, parseAllDocuments, type YAMLParseError } from 'yaml';

/** Documents of a YAML text, or what is wrong with it. */
export type Yaml =
  | { readonly kind: 'ok'; readonly values: readonly unknown[] }
  | { readonly kind: 'refused'; readonly message: string };

/** Aliases make a small file large. */
const MAX_ALIASES = 1000;
/** Lines that are mended in one file. */
const MAX_MENDED = 100;
const DEEP = ' '.repeat(64);

/**
 * Reads what kubectl reads. That takes one thing more than YAML allows: a text in quotes that goes on in the next line without
 * being indented deeper than its key. Templates that people have are written so; where a line breaks, indentation means nothing.
 */
export function readYaml(text: string): Yaml {
  let lines = text.split('\n');
  for (let mended = 0; ; mended += 1) {
    const documents = parseAllDocuments(lines.join('\n'), { merge: true });
    const error = firstError(documents);
    if (error === undefined) return valuesOf(documents);
    const broken = error.linePos?.[0].line;
    if (!isOpenQuote(error) || broken === undefined || mended === MAX_MENDED) return refusal(error);
    const next = lines[broken];
    if (next === undefined || next.startsWith(DEEP)) return refusal(error);
    lines = lines.with(broken, `${DEEP}${next.trimStart()}`);
  }
}

/** The parser gives up at the end of the line, lines being counted from 1: it is the next that is not deep enough. */
function isOpenQuote({ code, message }: YAMLParseError): boolean {
  return code === 'MISSING_CHAR' && /^Missing closing ["']quote/.test(message);
}

function firstError(documents: readonly Document.Parsed[]): YAMLParseError | undefined {
  return documents.flatMap((one) => one.errors).at(0);
}

function refusal(error: YAMLParseError): Yaml {
  return { kind: 'refused', message: error.message.split('\n')[0]?.replace(/:$/, '') ?? '' };
}

function valuesOf(documents: readonly Document.Parsed[]): Yaml {
  try {
    return {
      kind: 'ok',
      values: documents.map((one) => one.toJS({ maxAliasCount: MAX_ALIASES }) as unknown),
    };
  } catch (error) {
    return { kind: 'refused', message: error instanceof Error ? error.message : String(error) };
  }
}
