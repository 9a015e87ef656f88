/** Files that take long, the longest first, also those that wait for a time to pass: begun last, each would be waited for alone. */
const LONG = [
  'crash-at-every-write',
  'scenarios/never-over',
  'scenarios/image-cases',
  'scenarios/image-outages',
  'scenarios/image-admission',
  'crash-while-people-think',
  'controllers/tenant-trouble',
  'controllers/several-operators',
  'controllers/run-held',
  'controllers/run.e2e',
  'controllers/ledger.e2e',
  'scenarios/revisions',
  'controllers/run-budgets',
  'controllers/many-runs',
  'controllers/devices',
  'runtime/faults',
];

function rank(file) {
  const index = LONG.findIndex((part) => file.includes(part));
  return index === -1 ? LONG.length : index;
}

export default {
  extensions: ['ts'],
  files: ['**/*.test.ts', '!node_modules'],
  require: ['./hack/test/end-when-done.ts'],
  nodeArguments: ['--import=./hack/test/end-with-parent.ts'],
  sortTestFiles: (a, b) => rank(a) - rank(b) || (a < b ? -1 : 1),
  workerThreads: false,
  // As in the image: tests of memory see what our processes have.
  environmentVariables: { MALLOC_MMAP_THRESHOLD_: '131072' },
  // Without any result; waits of tests end before it.
  timeout: '5m',
};
