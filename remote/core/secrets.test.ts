// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { Secrets } from './secrets.ts';

const SECRET = 'me:a"long\\pass word';

for (const [name, said] of Object.entries({
  'as it is': SECRET,
  'in JSON': JSON.stringify({ said: SECRET }),
  'in JSON that is a text in JSON': JSON.stringify({ said: JSON.stringify({ said: SECRET }) }),
  'in a query': `https://x/?k=${encodeURIComponent(SECRET)}`,
  'in a path': `https://x/${encodeURI(SECRET)}`,
})) {
  test(`a credential is hidden ${name}`, (t) => {
    const secrets = new Secrets();
    secrets.add(SECRET);
    const hidden = secrets.hide(said);
    t.true(hidden.includes('***'), hidden);
    t.notRegex(hidden, /long|pass|word/);
  });
}

test('of one credential in another, nothing of the longer one stays', (t) => {
  const secrets = new Secrets();
  secrets.add('a-long-password');
  secrets.add('somebody:a-long-password');
  t.is(secrets.hide('you are somebody:a-long-password, by a-long-password'), 'you are ***, by ***');
});

test('what is too short to be told from a word stays, however it is written', (t) => {
  const secrets = new Secrets();
  secrets.add('a"b c d');
  t.is(secrets.hide(JSON.stringify(['a"b c d'])), JSON.stringify(['a"b c d']));
});
