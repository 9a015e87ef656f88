// SPDX-License-Identifier: Apache-2.0
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import type { Plugin } from 'esbuild';

/** Where the library has its binary: a text, in which each letter is a byte but those that a text cannot have. */
const BINARY = /=ea\('((?:[^'\\]|\\[^])*)'\)/;

const ESCAPED = /\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^])/g;
const LETTERS: Readonly<Record<string, string>> = {
  '0': '\0',
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  v: '\v',
};

/**
 * Packs the reader of XML: its binary, which is a text of a megabyte there, and the schemas, without their words for people, which it could not read from
 * files in what is shipped.
 */
export const xml: Plugin = {
  name: 'xml',
  setup: (build) => {
    build.onLoad({ filter: /[\\/]libxml2-wasm[\\/]lib[\\/]libxml2raw\.mjs$/ }, async ({ path }) => ({
      contents: packedLibrary(await readFile(path, 'utf8')),
      loader: 'js',
    }));
    build.onLoad({ filter: /[\\/]supply-chain[\\/]xml-schemas\.ts$/ }, async ({ path }) => {
      const folder = join(path, '../../../node_modules/@cyclonedx/cyclonedx-library/res/schema');
      return { contents: await packedSchemas(folder), loader: 'js' };
    });
  },
};

function packedLibrary(source: string): string {
  const [found, text] = BINARY.exec(source) ?? [];
  if (found === undefined || text === undefined)
    throw new Error('libxml2-wasm has its binary in another form');
  const letters = text.replaceAll(ESCAPED, unescaped);
  // As the library does: what is no byte stands for nothing.
  const bytes = Uint8Array.from(letters, (letter) => {
    const code = letter.codePointAt(0) ?? 0;
    return (~code >> 8) & code;
  });
  const unpacked = `=unpackBinary(Buffer.from('${packed(bytes)}', 'base64'))`;
  return `import { brotliDecompressSync as unpackBinary } from 'node:zlib';\n${source.replace(found, () => unpacked)}`;
}

/** By a number in hex, or by a letter. */
function unescaped(escaped: string): string {
  const [, kind = '', ...more] = escaped;
  if (kind === 'x' || kind === 'u') return String.fromCodePoint(Number.parseInt(more.join(''), 16));
  return LETTERS[kind] ?? kind;
}

async function packedSchemas(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => /^(?:bom-1\.[4-7]|spdx)\.SNAPSHOT\.xsd$/.test(name));
  const entries = await Promise.all(
    names.map(async (name) => {
      const text = (await readFile(join(folder, name), 'utf8'))
        .replaceAll(/<!--[^]*?-->/g, '')
        .replaceAll(/<xs:annotation>[^]*?<\/xs:annotation>/g, '')
        .replaceAll(/>\s+</g, '><');
      return `'${name}': '${packed(Buffer.from(text))}'`;
    }),
  );
  return `import { brotliDecompressSync } from 'node:zlib';
const packed = { ${entries.join(', ')} };
export function readSchema(name) {
  return brotliDecompressSync(Buffer.from(packed[name], 'base64'));
}`;
}

function packed(bytes: Uint8Array): string {
  return brotliCompressSync(bytes).toString('base64');
}
