// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { MAX_RESULT_BYTES, terminationMessage } from '#crds/v1alpha1/run-result';
import { failure } from './failure.ts';
import { outputOfMessage, outputOfTask } from './output.ts';
import { type Ending, terminationText } from './said.ts';
import type { Part, Task } from './task.ts';

const plain = (text: string): string => text;
const done = (parts: readonly Part[], more: Partial<Task> = {}): Task => ({
  id: 't',
  state: 'completed',
  artifacts: [{ name: 'result', parts }],
  ...more,
});
const text = (words: string): Part => ({ kind: 'text', text: words });

const cases: Record<string, { task: Task; want: object }> = {
  'nothing at all': {
    task: { id: 't', state: 'completed', artifacts: [] },
    want: { output: '', artifacts: [] },
  },
  'words in several parts': { task: done([text('a'), text('b')]), want: { output: 'a\nb', artifacts: [] } },
  'words at the end, and no artifact': {
    task: done([], { artifacts: [], message: { parts: [text('bye')] } }),
    want: { output: 'bye', artifacts: [] },
  },
  'data alone stays data': {
    task: done([{ kind: 'data', data: { pages: 3 } }]),
    want: { output: { pages: 3 }, artifacts: [] },
  },
  'data beside words becomes text': {
    task: done([text('see'), { kind: 'data', data: { pages: 3 } }]),
    want: { output: 'see\n{"pages":3}', artifacts: [] },
  },
  'files by reference, under names of their own': {
    task: done([
      { kind: 'link', uri: 's3://b/1', name: 'a' },
      { kind: 'link', uri: 's3://b/2', name: 'a' },
      { kind: 'link', uri: 's3://b/3' },
    ]),
    want: {
      output: '',
      artifacts: [
        { name: 'a', uri: 's3://b/1' },
        { name: 'a-2', uri: 's3://b/2' },
        { name: 'result', uri: 's3://b/3' },
      ],
    },
  },
  'an address that a Run cannot tell': {
    task: done([{ kind: 'link', uri: 'not an address', name: 'a' }]),
    want: { output: '[a: its address cannot be told]', artifacts: [] },
  },
  'a file in the answer itself': {
    task: done([{ kind: 'bytes', size: 12, name: 'a.bin' }]),
    want: { output: '[a.bin: 12 bytes were handed over in the answer, and are not kept]', artifacts: [] },
  },
};

for (const [name, { task, want }] of Object.entries(cases)) {
  test(`what is made of ${name}`, (t) => {
    t.deepEqual(outputOfTask(task, plain), want as never);
  });
}

test('more files than a Run can tell of are counted', (t) => {
  const links = Array.from({ length: 100 }, (_, i): Part => ({ kind: 'link', uri: `s3://b/${i}` }));
  const { artifacts, output } = outputOfMessage({ parts: links }, plain);
  t.is(artifacts.length, 32);
  t.regex(String(output), /\[file-33: one file too many\]\n/);
  t.regex(String(output), /\[and 36 more\]$/);
});

test('whatever an agent says, it fits, and the operator reads it as it was meant', (t) => {
  const word = fc.string({ unit: 'binary', maxLength: 3000 });
  const link = fc.record({
    name: fc.string({ minLength: 1, maxLength: 253 }),
    uri: fc.webUrl().map((uri) => uri.slice(0, 2048)),
  });
  const ending = fc.record({
    kind: fc.constant('completed' as const),
    output: fc.oneof(word, fc.dictionary(word, word, { maxKeys: 3 })),
    artifacts: fc.uniqueArray(link, { maxLength: 32, selector: ({ name }) => name }),
  });
  fc.assert(
    fc.property(ending, (one) => {
      const written = terminationText(one, plain);
      t.true(Buffer.byteLength(written) <= MAX_RESULT_BYTES);
      t.true(terminationMessage.safeParse(JSON.parse(written)).success);
    }),
    { numRuns: 300 },
  );
});

test('whatever is said of a failure, it fits', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 6000 }), (words) => {
      const written = terminationText({ kind: 'failed', failure: failure('TaskFailed', words) }, plain);
      t.true(Buffer.byteLength(written) <= MAX_RESULT_BYTES);
      t.true(terminationMessage.safeParse(JSON.parse(written)).success);
    }),
  );
});

const told = (output: unknown) =>
  JSON.parse(terminationText({ kind: 'completed', output, artifacts: [] }, plain)) as { output: unknown };

test('what fits is told whole, and what is cut says how long it was', (t) => {
  t.is(told('x'.repeat(4080)).output, 'x'.repeat(4080));
  t.deepEqual(told({ a: [1, 2] }).output, { a: [1, 2] });
  t.regex(String(told('ü'.repeat(5000)).output), /^ü{1900,}\n\[cut here: it has 10000 bytes\]$/);
  t.regex(String(told({ a: 'x'.repeat(5000) }).output), /^\{"a":"x+\n\[cut here: it has 5008 bytes\]$/);
});

const hide = (words: string) => words.replaceAll('top-secret', '***');

test('secrets are hidden in words, in data, in names and in addresses', (t) => {
  const artifacts = [{ name: 'top-secret', uri: 'https://x/?k=top-secret' }];
  const ending: Ending = { kind: 'completed', output: { a: ['top-secret'] }, artifacts };
  const want = { output: { a: ['***'] }, artifacts: [{ name: '***', uri: 'https://x/?k=***' }] };
  t.deepEqual(JSON.parse(terminationText(ending, hide)), want);
  const failed: Ending = { kind: 'failed', failure: failure('TaskFailed', 'no top-secret') };
  t.notRegex(terminationText(failed, hide), /top-secret/);
});

test('a secret across the cut of the name of a file is hidden whole', (t) => {
  const parts: Part[] = [{ kind: 'link', uri: 'not an address', name: `${'x'.repeat(60)}top-secret` }];
  const want = `[${'x'.repeat(60)}***: its address cannot be told]`;
  t.is(outputOfMessage({ parts }, hide).output, want);
});
