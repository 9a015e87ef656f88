// SPDX-License-Identifier: Apache-2.0
import { SETTINGS } from '#operator/config';
import { flagOf, type Setting, variableOf } from '#operator/settings';
import { WEBHOOK_SETTINGS } from '#webhooks/config';
import type { GeneratedFile } from '../file.ts';
import { code, pageHead, table } from './markdown.ts';

/** The page of every setting of the operator, and of the admission process. */
export function configurationPage(): GeneratedFile {
  const text = [
    pageHead('Settings', 'operator/config.ts and webhooks/config.ts'),
    'Each can be given as a flag or as an environment variable; the flag wins. What is not allowed stops a program at its start, with every problem named at once. The chart sets what it needs by itself.\n',
    '## Operator\n',
    settingsTable(SETTINGS),
    '## Admission process\n',
    settingsTable(WEBHOOK_SETTINGS),
  ].join('\n');
  return { path: 'docs/reference/configuration.md', text };
}

function settingsTable(settings: Readonly<Record<string, Setting<unknown>>>): string {
  const rows = Object.entries(settings).map(([name, setting]) => [
    code(flagOf(name)),
    code(variableOf(name)),
    code(setting.default ?? ''),
    setting.allowed,
    setting.what,
  ]);
  return table(['flag', 'variable', 'default', 'allowed', 'what it does'], rows);
}
