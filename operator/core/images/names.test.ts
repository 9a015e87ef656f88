// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { verdictName } from './names.ts';

const HASH = '[0-9a-f]{40}';

for (const { image, name } of [
  { image: 'busybox', name: 'busybox' },
  { image: 'ghcr.io/team/My_App'.toLowerCase(), name: 'my-app' },
  { image: 'host:5000/a/b__c..d', name: 'image' },
  { image: `host/${'x'.repeat(200)}`, name: 'x'.repeat(40) },
  { image: 'Not An Image', name: 'image' },
]) {
  test(`a verdict on ${image.slice(0, 30)} has a name that an object may have`, (t) => {
    t.regex(verdictName(image), new RegExp(`^${name}-${HASH}$`));
    t.true(verdictName(image).length <= 253);
  });
}

test('an image has one verdict, however it is written, and two images have two', (t) => {
  t.is(verdictName('busybox'), verdictName('docker.io/library/busybox:latest'));
  t.not(verdictName('busybox:1'), verdictName('busybox:2'));
  t.not(verdictName('a.example/app'), verdictName('b.example/app'));
});
