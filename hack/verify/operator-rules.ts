// SPDX-License-Identifier: Apache-2.0
import { isWithin } from './import-rules.ts';
import type { SourceFile } from './source-files.ts';

/** A way around what one folder, or one file, is for. */
interface Reserved {
  /** What is looked for in code. */
  readonly pattern: RegExp;
  /** Who may. Paths as in the import table. */
  readonly to: readonly string[];
  readonly instead: string;
}

const NETWORK = 'node:(?:http|https|http2|tls|dgram|dns)';
const RESERVED: readonly Reserved[] = [
  {
    pattern: new RegExp(`['"]${NETWORK}(?:/promises)?['"]`),
    to: ['operator/runtime/', 'operator/sources/', 'operator/oci/'],
    instead: 'operator/runtime, operator/sources and operator/oci alone speak to others',
  },
  {
    pattern: /['"]node:net['"]/,
    // It tells addresses from names there, in settings and in certificates.
    to: [
      'operator/runtime/',
      'operator/sources/',
      'operator/oci/',
      'operator/certificates/issue.ts',
      'operator/config.ts',
      'operator/settings.ts',
    ],
    instead: 'operator/runtime alone speaks to others',
  },
  {
    pattern: /(?<![.\w])(?:fetch\(|new (?:WebSocket|EventSource)\()/,
    to: ['operator/runtime/'],
    instead: 'operator/runtime alone speaks to others',
  },
  {
    pattern: /\bnew Date\(\)|\bDate\.now\(\)/,
    to: ['operator/runtime/clock.ts', 'operator/telemetry/'],
    instead: 'the time is clock.now() of operator/runtime/clock.ts, and core is given it',
  },
];

/** Lines of what is shipped of the operator that do what is reserved to others: to speak to the network, and to tell the time. */
export function operatorProblems(files: readonly Pick<SourceFile, 'path' | 'text'>[]): readonly string[] {
  return files.filter(({ path }) => isShipped(path)).flatMap(problemsOf);
}

function isShipped(path: string): boolean {
  return path.startsWith('operator/') && !path.endsWith('.test.ts') && !path.includes('/testing/');
}

function problemsOf({ path, text }: Pick<SourceFile, 'path' | 'text'>): readonly string[] {
  const rules = RESERVED.filter(({ to }) => !to.some((one) => isWithin(path, one)));
  return text.split('\n').flatMap((line, index) => {
    const broken = rules.find(({ pattern }) => pattern.test(withoutComment(line)));
    return broken === undefined ? [] : [`${path}:${index + 1}: ${broken.instead}`];
  });
}

/** Of a line in a block of comments, nothing. */
function withoutComment(line: string): string {
  return /^\s*(?:\*|\/\*)/.test(line) ? '' : line.replace(/\/\/ .*$/, '');
}
