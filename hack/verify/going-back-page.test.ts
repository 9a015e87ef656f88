// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { readFileSync } from 'node:fs';
import { AGENT_REVISION } from '#crds/v1alpha1/agent-revision';

test('the command that goes back to a revision takes away all that an old template may not have', (t) => {
  const page = readFileSync(new URL('../../docs/how-to/go-back-to-a-revision.md', import.meta.url), 'utf8');
  const [, program = ''] = /jq --slurpfile old revision\.json '([^']+)'/u.exec(page) ?? [];
  const taken = [...program.matchAll(/del\(([^)]*)\)/gu)].flatMap(([, paths = '']) => paths.split(/,\s*/u));
  const optional = Object.entries(AGENT_REVISION.spec.shape.template.shape)
    .filter(
      ([, field]) => field.safeParse(undefined).success && field.safeParse(undefined).data === undefined,
    )
    .map(([name]) => name);
  t.true(optional.length > 5, optional.join());
  t.deepEqual(
    optional.filter((name) => !taken.some((path) => path === `.${name}` || path.startsWith(`.${name}.`))),
    [],
  );
});
