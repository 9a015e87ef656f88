// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type ComponentPlan, planComponents, schedulerConfig } from './components.ts';
import { pkiFiles } from './pki.ts';

const basePlan: ComponentPlan = {
  programs: {
    etcd: '/tools/etcd',
    'kube-apiserver': '/tools/kube-apiserver',
    'kube-controller-manager': '/tools/kube-controller-manager',
    'kube-scheduler': '/tools/kube-scheduler',
    kwok: '/tools/kwok',
  },
  dataDir: '/data',
  ports: {
    etcdClient: 1,
    etcdPeer: 2,
    apiServer: 3,
    controllerManager: 4,
    scheduler: 5,
    kwok: 6,
    etcdHttp: 7,
  },
  pki: pkiFiles('/data/pki'),
  kubeconfig: (name) => `/data/${name}.kubeconfig`,
  audit: false,
  extraArgs: {},
  stageFiles: ['/stages/a.yaml', '/stages/b.yaml'],
};

const argsOf = (
  name: keyof ReturnType<typeof planComponents>,
  plan: Partial<ComponentPlan> = {},
): readonly string[] => planComponents({ ...basePlan, ...plan })[name].args;

const present = {
  'etcd takes only clients with a certificate of its own authority': [
    'etcd',
    ['--client-cert-auth=true', '--trusted-ca-file=/data/pki/etcd-ca.crt'],
  ],
  'the API server comes to etcd with its own certificate': [
    'kube-apiserver',
    ['--etcd-servers=https://127.0.0.1:1', '--etcd-certfile=/data/pki/apiserver-etcd-client.crt'],
  ],
  'rights are checked': ['kube-apiserver', ['--authorization-mode=Node,RBAC']],
  'each controller acts under its own account': [
    'kube-controller-manager',
    ['--use-service-account-credentials=true', '--kubeconfig=/data/kube-controller-manager.kubeconfig'],
  ],
  'the scheduler checks those who ask it': [
    'kube-scheduler',
    ['--authorization-kubeconfig=/data/kube-scheduler.kubeconfig'],
  ],
  'KWOK plays only nodes that say so, by all stage files': [
    'kwok',
    ['--manage-nodes-with-label-selector=type=kwok', '--config=/stages/a.yaml', '--config=/stages/b.yaml'],
  ],
} as const;

for (const [title, [name, wanted]] of Object.entries(present)) {
  test(title, (t) => {
    for (const flag of wanted) {
      t.true(argsOf(name).includes(flag), flag);
    }
  });
}

test('nothing listens beyond loopback', (t) => {
  for (const { name, args } of Object.values(planComponents(basePlan))) {
    const listening = args.filter((arg) => /^--(bind-address|listen-.*-urls|server-address)=/.test(arg));
    t.true(listening.length > 0, name);
    t.true(
      listening.every((arg) => arg.includes('127.0.0.1')),
      `${name}: ${listening.join(' ')}`,
    );
  }
});

test('no component reads a key or kubeconfig of another', (t) => {
  const allowed: Record<string, RegExp> = {
    etcd: /\/etcd(-ca)?\./,
    'kube-apiserver': /\/(kube-apiserver|apiserver-etcd-client|service-account|ca|etcd-ca)\./,
    'kube-controller-manager': /\/(kube-controller-manager|service-account|ca)\./,
    'kube-scheduler': /\/kube-scheduler\./,
    kwok: /\/kwok\./,
  };
  for (const { name, args } of Object.values(planComponents(basePlan))) {
    for (const arg of args.filter((each) => /\.(crt|key|kubeconfig)$/.test(each))) {
      t.regex(arg, allowed[name]!, name);
      t.notRegex(arg, /\/ca\.key$/, name);
    }
  }
});

test('the audit log is optional, and written before the answer', (t) => {
  t.false(argsOf('kube-apiserver').some((arg) => arg.startsWith('--audit')));
  const audited = argsOf('kube-apiserver', { audit: true });
  t.true(audited.includes('--audit-log-path=/data/audit.log'));
  t.true(audited.includes('--audit-log-mode=blocking'));
});

test('flags of the caller come last, so that they win', (t) => {
  const args = argsOf('kube-scheduler', { extraArgs: { 'kube-scheduler': ['--v=4'] } });
  t.is(args.at(-1), '--v=4');
  t.false(argsOf('etcd', { extraArgs: { 'kube-scheduler': ['--v=4'] } }).includes('--v=4'));
});

test('the scheduler is not held back by its own client', (t) => {
  t.like(schedulerConfig(basePlan), {
    clientConnection: { kubeconfig: '/data/kube-scheduler.kubeconfig', qps: 2000, burst: 3000 },
    leaderElection: { leaderElect: false },
  });
});
