export default {
  extensions: ['ts'],
  files: ['**/*.test.ts', '!node_modules'],
  require: ['./hack/test/end-when-done.ts'],
  nodeArguments: ['--import=./hack/test/end-with-parent.ts'],
  workerThreads: false,
  timeout: '2m',
};
