// SPDX-License-Identifier: Apache-2.0
import { flagOf, type Setting, SETTINGS, variableOf } from '#operator/config';
import type { GeneratedFile } from '../file.ts';
import { code, pageHead, table } from './markdown.ts';

/** The page of every setting of the operator. */
export function configurationPage(): GeneratedFile {
  const rows = Object.entries<Setting<unknown>>(SETTINGS).map(([name, setting]) => [
    code(flagOf(name)),
    code(variableOf(name)),
    code(setting.default ?? ''),
    setting.allowed,
    setting.what,
  ]);
  const text = [
    pageHead('Settings of the operator', 'operator/config.ts'),
    'Each can be given as a flag or as an environment variable; the flag wins. What is not allowed stops the operator at its start, with every problem named at once. The chart sets what it needs by itself.\n',
    table(['flag', 'variable', 'default', 'allowed', 'what it does'], rows),
  ].join('\n');
  return { path: 'docs/reference/configuration.md', text };
}
