// SPDX-License-Identifier: Apache-2.0
import { homedir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { cacheFolder, cacheKey } from './cache-folder.ts';

const folders = {
  'our own variable wins': {
    environment: { NEXUSOS_CACHE: '/own', XDG_CACHE_HOME: '/xdg' },
    want: '/own',
  },
  'then the cache of the user': { environment: { XDG_CACHE_HOME: '/xdg' }, want: '/xdg/nexusos' },
  'then the usual place': { environment: {}, want: join(homedir(), '.cache', 'nexusos') },
  'an empty variable is none': {
    environment: { NEXUSOS_CACHE: '', XDG_CACHE_HOME: '' },
    want: join(homedir(), '.cache', 'nexusos'),
  },
};

for (const [title, { environment, want }] of Object.entries(folders)) {
  test(title, (t) => {
    t.is(cacheFolder(environment), want);
  });
}

test('a key is the same for the same parts and another for others', (t) => {
  t.is(cacheKey(['a', 'b']), cacheKey(['a', 'b']));
  t.regex(cacheKey([]), /^[0-9a-f]{16}$/);
  const keys = [['a', 'b'], ['ab'], ['a', 'b', ''], ['b', 'a']].map(cacheKey);
  t.is(new Set(keys).size, keys.length);
});
