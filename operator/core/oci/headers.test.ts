// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { processorMs } from '#hack/tools/processor-time';
import { mediaTypeOf, nextLink, parseChallenges, retryAfterMs } from './headers.ts';

const CHALLENGES: Readonly<
  Record<string, readonly [header: string | readonly string[] | undefined, want: unknown]>
> = {
  none: [undefined, []],
  'a Bearer': [
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a:pull"',
    [
      [
        'bearer',
        { realm: 'https://auth.docker.io/token', service: 'registry.docker.io', scope: 'repository:a:pull' },
      ],
    ],
  ],
  'a Basic': ['Basic realm="x"', [['basic', { realm: 'x' }]]],
  'both in one line': [
    'Basic realm="x", Bearer realm="https://a/t" , service=s',
    [
      ['basic', { realm: 'x' }],
      ['bearer', { realm: 'https://a/t', service: 's' }],
    ],
  ],
  'one in each line': [
    ['Basic realm="x"', 'Bearer realm="y"'],
    [
      ['basic', { realm: 'x' }],
      ['bearer', { realm: 'y' }],
    ],
  ],
  'quotes in quotes, and commas': ['Bearer realm="a\\"b,c"', [['bearer', { realm: 'a"b,c' }]]],
  'the same parameter twice: the first counts': [
    'Bearer realm="https://a",realm="https://b"',
    [['bearer', { realm: 'https://a' }]],
  ],
  'a scheme alone': ['Negotiate', [['negotiate', {}]]],
  'a parameter without a scheme': ['="x"', []],
  'no end of a quote': ['Bearer realm="https://a', [['bearer', {}]]],
  'names of an object': [
    'Bearer __proto__="x", constructor=y',
    [['bearer', { ['__proto__']: 'x', constructor: 'y' }]],
  ],
  'much too long': [`Bearer realm="${'a'.repeat(9000)}"`, []],
};

for (const [title, [header, want]] of Object.entries(CHALLENGES)) {
  test(`challenges: ${title}`, (t) => {
    const found = parseChallenges(header).map(({ scheme, parameters }) => [scheme, { ...parameters }]);
    t.is(JSON.stringify(found), JSON.stringify(want));
  });
}

test('challenges that are made to take long do not', (t) => {
  const tookMs = processorMs(() => {
    for (const part of ['Bearer ', 'a=b,', 'a="', '\\"', ',', ' \t', 'a= '])
      parseChallenges(part.repeat(1100));
  });
  t.true(tookMs < 500, `${tookMs} ms`);
});

test('the next page', (t) => {
  t.is(nextLink('</v2/a/referrers/x?n=2>; rel="next"'), '/v2/a/referrers/x?n=2');
  t.is(nextLink('</first>; rel="prev", </next>; rel=next'), '/next');
  t.is(nextLink('</other>; rel="last"'), undefined);
  t.is(nextLink(undefined), undefined);
  t.is(nextLink('rubbish'), undefined);
});

const NOW = Date.parse('2026-11-22T12:00:00Z');
test('how long to wait', (t) => {
  t.is(retryAfterMs('3', NOW), 3000);
  t.is(retryAfterMs('Sun, 22 Nov 2026 12:00:07 GMT', NOW), 7000);
  t.is(retryAfterMs('Sun, 22 Nov 2026 11:00:00 GMT', NOW), 0);
  t.is(retryAfterMs('999999999', NOW), 15 * 60_000);
  for (const odd of [undefined, '', '-1x', 'soon', 'x'.repeat(100)])
    t.is(retryAfterMs(odd, NOW), undefined, odd);
});

test('media types', (t) => {
  t.is(mediaTypeOf('Application/JSON; charset=utf-8'), 'application/json');
  t.is(mediaTypeOf(undefined), undefined);
  t.is(mediaTypeOf('x'.repeat(300)), undefined);
});
