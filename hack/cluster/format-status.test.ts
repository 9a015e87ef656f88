// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { formatAge, formatStatus } from './format-status.ts';

const ages = {
  '0s': 0,
  '59s': 59_999,
  '1m0s': 60_000,
  '1h2m': 3_725_000,
  '1d0h': 86_400_000,
  '3d4h': 3 * 86_400_000 + 4 * 3_600_000 + 59_000,
};

for (const [want, ageMs] of Object.entries(ages)) {
  test(`an age of ${ageMs} ms is ${want}`, (t) => {
    t.is(formatAge(ageMs), want);
  });
}

test('a clock that was set back makes no negative age', (t) => {
  t.is(formatAge(-5000), '0s');
});

test('a component that has ended is told', (t) => {
  const text = formatStatus(
    {
      description: {
        id: 'abc',
        name: 'default',
        url: 'https://127.0.0.1:1',
        caData: '',
        kubeconfigPath: '/data/admin.kubeconfig',
        dataDir: '/data',
        socketPath: '/data/supervisor.sock',
        kubectlPath: '/tools/kubectl',
        kubernetesVersion: 'v1.36.3',
        startedAt: '2026-11-21T12:00:00Z',
      },
      supervisorPid: 7,
      components: [
        { name: 'etcd', pid: 8 },
        { name: 'kwok', pid: undefined },
      ],
    },
    new Date('2026-11-21T12:00:05Z'),
  );
  t.regex(text, /^age +5s$/m);
  t.regex(text, /^etcd +pid 8$/m);
  t.regex(text, /^kwok +ended; `up` starts it again$/m);
});
