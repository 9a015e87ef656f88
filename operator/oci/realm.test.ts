// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ok } from '../core/oci/answer.ts';
import { type Ask, Outbound } from '../sources/outbound.ts';
import { Authorizer, type Permission } from './authorization.ts';

const LOGINS: Readonly<Record<string, Permission['login']>> = {
  nobody: undefined,
  'a user': { kind: 'password', username: 'u', password: 'p' },
  'an identity token': { kind: 'identity', token: 'secret' },
};

for (const [title, login] of Object.entries(LOGINS)) {
  test(`a registry is who leads us to where it says that its tokens are: as ${title}`, async (t) => {
    const asks: Ask[] = [];
    const send = (ask: Ask) => {
      asks.push(ask);
      const reply = { status: 200, headers: {}, url: ask.url, isElsewhere: false };
      const bytes = Buffer.from('{"token":"x","expires_in":60}');
      return Promise.resolve({ answer: ok({ ...reply, bytes }), host: ask.url.host });
    };
    const permission = { origin: 'https://hub.example', repository: 'a/b', actions: 'pull', login } as const;
    const headers = { 'www-authenticate': 'Bearer realm="https://inner.private.example/token"' };
    const proof = await new Authorizer({ send }).answer(permission, headers, AbortSignal.timeout(60_000));
    t.is(proof.kind, 'ok');
    t.is(asks[0]?.url.host, 'inner.private.example');
    t.is(asks[0]?.sentBy?.origin, permission.origin);
    // And what that comes to.
    const outbound = new Outbound({
      rulesOf: ({ host }) => (host === 'inner.private.example' ? { isPrivate: true } : undefined),
      maxRedirects: 0,
      isPublic: () => false,
    });
    t.teardown(() => outbound.close());
    const url = new URL('https://127.0.0.1/token');
    t.is((await outbound.send({ ...asks[0]!, url })).outcome.kind, 'refused');
  });
}
