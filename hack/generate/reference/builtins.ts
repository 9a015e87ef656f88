// SPDX-License-Identifier: Apache-2.0
import { LEFT_OUT } from '#operator/policy/builtins/left-out';
import { CAPABILITIES } from '#operator/policy/capabilities';
import type { GeneratedFile } from '../file.ts';
import { code, pageHead, table } from './markdown.ts';

/** The page of builtins that packs have, and of those that they have not. */
export function builtinsPage(): GeneratedFile {
  const groups = Map.groupBy(CAPABILITIES, groupOf);
  const reasons = Map.groupBy(Object.entries(LEFT_OUT), ([, why]) => why);
  const text = [
    pageHead('Builtins of policy packs', 'operator/policy/capabilities.ts'),
    'Each answers as `opa eval` does, which tests compare them with. `nexusctl pack capabilities` lists them.\n',
    table(
      ['group', 'builtins'],
      [...groups].map(([group, names]) => [group, names.map(code).join(', ')]),
    ),
    '## Not for packs\n',
    'The compiler knows these, and a pack that calls one does not compile.\n',
    table(
      ['builtins', 'why not'],
      [...reasons].map(([why, entries]) => [entries.map(([name]) => code(name)).join(', '), `It ${why}.`]),
    ),
  ].join('\n');
  return { path: 'docs/reference/policy-builtins.md', text };
}

/** By what their names begin with; what has no such beginning is of the language itself. */
function groupOf(name: string): string {
  return name.includes('.') ? name.slice(0, name.indexOf('.')) : '(language)';
}
