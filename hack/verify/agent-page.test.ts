// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { readFileSync } from 'node:fs';
import { AGENT_REVISION } from '#crds/v1alpha1/agent-revision';

test('the page of Agents names all that makes another revision', (t) => {
  const page = readFileSync(new URL('../../docs/spec/v1alpha1/agent.md', import.meta.url), 'utf8');
  const [, section = ''] = page.split('\n## Changing an Agent\n');
  const [list = ''] = section.split('A change of any of these makes another one');
  t.true(list.length < section.length);
  const fields = Object.keys(AGENT_REVISION.spec.shape.template.shape);
  // Of limits and gang one field each: `limits.terminationGracePeriodSeconds`.
  const missing = fields.filter((field) => !new RegExp(`\`${field}[\`.]`, 'u').test(list));
  t.deepEqual(missing, []);
});
